package message

import "strings"

// usualNames are the fields kept beside a post, because lists, searches, mail
// clients and the web ask for them without wanting the message: the envelope of
// RFC 3501, what clients fetch for their lists of messages, and what says where
// a post came from.
var usualNames = []string{
	"From", "To", "Cc", "Bcc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Reply-To", "Sender",
	"List-Id", "List-Post", "List-Unsubscribe", "List-Unsubscribe-Post", "List-Help", "List-Archive", "List-Owner", "List-Subscribe",
	"Archived-At", "Content-Type", "Content-Transfer-Encoding", "MIME-Version", "Newsgroups", "Followup-To", "Mail-Followup-To", "Mail-Reply-To",
	"X-Mailer", "User-Agent", "Importance", "Priority", "X-Priority", "Precedence", "Auto-Submitted", "Organization", "Resent-From",
	"Resent-To", "Resent-Cc", "Resent-Date", "Resent-Message-ID", "Keywords", "X-Label", "X-Spam-Flag", "X-Spam-Status", "Disposition-Notification-To",
	"Delivered-To", "Face", "X-Face", "In-Reply-To-UIDL", "Thread-Topic", "Thread-Index", "Autocrypt",
}

// otherNames occur so often that their name need not be allocated.
var otherNames = []string{
	"Received", "Return-Path", "DKIM-Signature", "Authentication-Results", "ARC-Seal", "ARC-Message-Signature",
	"ARC-Authentication-Results", "Content-Disposition", "Content-ID", "Content-Description", "Content-Language", "Message-Id",
	"Mime-Version", "MIME-version", "CC", "Errors-To", "X-BeenThere", "X-Mailman-Version", "Received-SPF", "X-Received",
	"X-Gm-Message-State", "X-Google-DKIM-Signature", "X-Google-Smtp-Source", "X-Spam-Level", "X-Spam-Checker-Version", "Status", "X-Status",
}

var usualSet, knownNames = nameSets()

func nameSets() (usual map[string]bool, known map[string]string) {
	usual, known = map[string]bool{}, map[string]string{}
	for _, n := range usualNames {
		usual[strings.ToLower(n)] = true
		known[n] = n
	}
	for _, n := range otherNames {
		known[n] = n
	}
	return usual, known
}

// UsualField tells whether UsualHeader keeps fields of that name, in any case.
func UsualField(name string) bool {
	if usualSet[name] {
		return true
	}
	return usualSet[strings.ToLower(name)]
}

// UsualHeader gives the usual header fields of the message verbatim, in order
// and without the empty line; each ends in a line break. A usual field that is
// not in it is not in the message either. Of a header beyond MaxHeader or
// MaxFields nothing is kept: nil says that only the message itself can tell.
func UsualHeader(h Header) []byte {
	if h.size > MaxHeader || len(h.fields) == MaxFields {
		return nil
	}
	out := make([]byte, 0, min(h.size, 2048))
	for _, f := range h.fields {
		if !UsualField(f.Name) {
			continue
		}
		out = append(out, h.Raw(f)...)
		if out[len(out)-1] != '\n' {
			out = append(out, '\r', '\n')
		}
	}
	return out
}
