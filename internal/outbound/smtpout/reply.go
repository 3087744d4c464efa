package smtpout

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"strings"

	"plenary/internal/outbound/queue"
)

// Limits of a peer's replies. RFC 5321 4.5.3.1.5 has 512 octets a line.
const (
	maxReplyLine  = 4096 // octets, the reader's buffer
	maxReplyLines = 100  // of one reply
)

var errGarbage = errors.New("the peer does not speak SMTP")

// reply is one answer of the peer.
type reply struct {
	code int
	text string // lines joined by spaces, without the codes
	line string // as it came, of one line only
}

func (r reply) String() string { return fmt.Sprintf("%d %s", r.code, r.text) }

func (r reply) ok() bool { return r.code >= 200 && r.code < 300 }

// readReply reads one reply; EHLO's lines are kept in lines when it is not nil.
// The reply that is likely to come costs nothing when it does.
func readReply(br *bufio.Reader, likely *reply, lines *[]string) (reply, error) {
	var code int
	var text []byte
	for n := 0; ; n++ {
		line, err := br.ReadSlice('\n')
		if errors.Is(err, bufio.ErrBufferFull) {
			return reply{}, fmt.Errorf("%w: a reply line without end", errGarbage)
		}
		if err != nil {
			return reply{}, err
		}
		if n == 0 && likely != nil && string(line) == likely.line {
			return *likely, nil
		}
		whole := line
		line = bytes.TrimRight(line, "\r\n")
		c, more, rest, ok := replyLine(line)
		if !ok || n > 0 && c != code {
			return reply{}, fmt.Errorf("%w: %.60q", errGarbage, line)
		}
		if n >= maxReplyLines {
			return reply{}, fmt.Errorf("%w: a reply without end", errGarbage)
		}
		code = c
		if lines != nil {
			*lines = append(*lines, string(rest))
		}
		if n == 0 && !more {
			text := string(whole)
			return reply{code, text[len(line)-len(rest) : len(line)], text}, nil
		}
		if len(text) < maxReplyLine { // enough for any log
			if n > 0 {
				text = append(text, ' ')
			}
			text = append(text, rest...)
		}
		if !more {
			return reply{code: code, text: string(text)}, nil
		}
	}
}

// replyLine splits "250-text"; RFC 5321 4.2 allows a bare code.
func replyLine(b []byte) (code int, more bool, text []byte, ok bool) {
	if len(b) < 3 || b[0] < '2' || b[0] > '5' || b[1] < '0' || b[1] > '9' || b[2] < '0' || b[2] > '9' {
		return 0, false, nil, false
	}
	code = int(b[0]-'0')*100 + int(b[1]-'0')*10 + int(b[2]-'0')
	if len(b) == 3 {
		return code, false, nil, true
	}
	if b[3] != ' ' && b[3] != '-' {
		return 0, false, nil, false
	}
	return code, b[3] == '-', b[4:], true
}

// stage is where in a transaction a reply came.
type stage uint8

const (
	atMail stage = iota
	atRcpt
	atData
)

func (s stage) String() string { return [...]string{"MAIL", "RCPT", "DATA"}[s] }

// fits reports whether a reply can come at a stage, as yes or as no: nothing but
// 354 lets a message go (RFC 5321 4.1.1.4, 4.3.2).
func (r reply) fits(at stage) bool {
	return r.code >= 400 || at == atData && r.code == 354 || at != atData && r.ok()
}

// ours reports whether a refusal at MAIL is about who sends: not about the size
// (5.3.x), the form (5.6.x) or a parameter (555) of this message.
func (r reply) ours() bool {
	return r.code >= 400 && r.code != 552 && r.code != 555 && !strings.HasPrefix(r.text, "5.3.") && !strings.HasPrefix(r.text, "5.6.")
}

// tooMany reports whether a refusal of a recipient says that there were too many
// (RFC 5321 4.5.3.1.10; RFC 3463 3.6).
func (r reply) tooMany() bool {
	return r.code == 552 || r.code == 452 && (strings.HasPrefix(r.text, "4.5.3") || strings.Contains(strings.ToLower(r.text), "too many"))
}

// result makes an outcome of a reply that refuses or ends a transaction. At
// RCPT a 552 means too many recipients and is temporary (RFC 5321 4.5.3.1.10).
func (r reply) result(at stage) queue.Result {
	res := queue.Result{Code: r.code, Reply: r.text, Ours: at == atMail && r.ours()}
	switch {
	case r.ok():
		res.State = queue.OK
	case r.code == 552 && at == atRcpt:
		res.State = queue.Temporary
	case r.code >= 500:
		res.State = queue.Permanent
	default:
		res.State = queue.Temporary
	}
	return res
}
