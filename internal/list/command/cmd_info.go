package command

import (
	"context"
	"strings"

	"plenary/internal/mail/address"
	"plenary/internal/model"
)

func cmdInfo() command {
	return command{
		Names: []string{"INFo", "INFORMATION", "INTRO", "FAQ"},
		Usage: "[list]",
		Doc:   "What a list is about, and its addresses.",
		fixed: true,
		fits: func(j *job, _ string, args []string) bool {
			return len(args) == 0 || len(args) == 1 && (j.listNamed(args[0]) != nil || j.mail.List == nil)
		},
		run: runInfo,
	}
}

func runInfo(_ context.Context, j *job, c call) (result, error) {
	if j.mail.List == nil && (len(c.args) == 0 || strings.EqualFold(c.args[0], "refcard")) {
		return result{text: "The commands are below.", help: true}, nil
	}
	list := j.mail.List
	if len(c.args) == 1 {
		list = j.listNamed(c.args[0])
	}
	if list == nil {
		return j.whichList(c), nil
	}
	if ok, err := j.visible(list); err != nil || !ok {
		return j.whichList(c), err
	}
	return result{text: j.about(list)}, nil
}

// about describes a list.
func (j *job) about(l *model.List) string {
	var out strings.Builder
	write := func(label, value string) {
		if value != "" {
			out.WriteString(label + strings.Repeat(" ", max(18-len(label), 1)) + value + "\n")
		}
	}
	out.WriteString(l.Title() + "\n")
	if d := strings.Join(strings.Fields(l.Description), " "); d != "" {
		out.WriteString(d + "\n")
	}
	out.WriteString("\n")
	if l.Kind == model.Discussion && !l.Closed {
		write("Post:", address.ForPeople(l.Address()))
	}
	if l.Joinable() {
		write("Join:", address.ForPeople(l.Sub("join")))
	}
	write("Leave:", address.ForPeople(l.Sub("leave")))
	write("Owners:", address.ForPeople(l.Sub("owner")))
	write("Archive:", j.s.ArchiveURL(l))
	if !l.Closed {
		write("Joining:", map[model.JoinPolicy]string{model.JoinConfirm: "open to everybody", model.JoinConfirmModerate: "a moderator agrees",
			model.JoinClosed: "only the owners add people"}[l.JoinPolicy])
	}
	if !l.Closed {
		write("Posting:", posting(l))
	}
	write("Archive access:", map[model.Access]string{model.AccessMembers: "members", model.AccessPublic: "everybody"}[l.ArchiveAccess])
	if l.Closed {
		write("Note:", "the list is closed: nobody joins or posts any more")
	}
	if info := strings.TrimSpace(l.Info); info != "" {
		out.WriteString("\n" + info + "\n")
	}
	return out.String()
}

func posting(l *model.List) string {
	if l.Kind != model.Discussion {
		return "only the editors"
	}
	switch l.NonsubscriberAction {
	case model.Accept:
		return "everybody"
	case model.Hold:
		return "subscribers; others wait for a moderator"
	}
	return "subscribers"
}
