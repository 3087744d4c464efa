package command

import (
	"context"
	"strings"

	"plenary/internal/model"
)

func cmdOK() command {
	return command{
		Names: []string{"OK", "CONFirm", "YES", "ACCEPT", "APPROVE", "DISTribute", "RELEASE", "AUTH"},
		Usage: "code",
		Doc:   "Say yes to what a letter with this code asked.",
		fits:  fitsCode,
		run:   runOK,
	}
}

// fitsCode: a code stands among the first words, perhaps after the list.
func fitsCode(j *job, verb string, args []string) bool {
	if codeOf(args) != "" {
		return true
	}
	switch verb {
	case "OK", "CONFIRM":
		return len(args) == 0 || len(args) == 1 && j.listNamed(args[0]) != nil
	}
	return false
}

// codeOf finds the code among the arguments.
func codeOf(args []string) string {
	for i, a := range args {
		if a = trimWord(a); looksLikeToken(a) && i < 3 {
			return a
		}
	}
	return ""
}

func runOK(ctx context.Context, j *job, c call) (result, error) {
	tok := codeOf(c.args)
	if tok == "" {
		return result{text: "To say yes to a letter from here, just reply to it, or write OK and the code from its subject."}, nil
	}
	return j.s.act(ctx, j.mail, tok, reply{word: yes})
}

func cmdNo() command {
	return command{
		Names: []string{"NO", "REJECT", "DENY", "REFUSE", "CANCEL", "DISCARD", "SPAM"},
		Usage: "code [reason]",
		Doc:   "Say no to what a letter with this code asked.",
		fits:  func(_ *job, _ string, args []string) bool { return codeOf(args) != "" },
		run:   runNo,
	}
}

func runNo(ctx context.Context, j *job, c call) (result, error) {
	tok := codeOf(c.args)
	r := reply{word: no}
	if c.verb == "DISCARD" || c.verb == "SPAM" {
		r.word = drop
	}
	if c.verb == "CANCEL" && j.s.Membership.Kind(tok) != model.PendingJoin && j.s.Membership.Kind(tok) != model.PendingLeave {
		return result{text: "Nothing was changed."}, nil
	}
	for i, a := range c.args {
		if trimWord(a) == tok {
			r.comment = strings.Trim(strings.Join(c.args[i+1:], " "), "%: ")
		}
	}
	return j.s.act(ctx, j.mail, tok, r)
}
