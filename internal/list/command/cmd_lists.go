package command

import (
	"context"
	"strings"

	"plenary/internal/mail/address"
)

func cmdLists() command {
	return command{
		Names: []string{"Lists", "WHICHLISTS"},
		Usage: "[word]",
		Doc:   "The lists here that are open to see; with a word, those whose name or description holds it.",
		fixed: true,
		fits: func(_ *job, verb string, args []string) bool {
			return len(args) == 0 || len(args) == 1 && verb == "LISTS" && len(args[0]) <= 40 && !strings.ContainsAny(args[0], ",.!?")
		},
		run: runLists,
	}
}

func runLists(ctx context.Context, j *job, c call) (result, error) {
	all, err := j.s.Store.Lists(ctx)
	if err != nil {
		return result{}, err
	}
	word := ""
	if len(c.args) == 1 {
		word = strings.ToLower(strings.Trim(c.args[0], "*"))
		switch word { // LISTSERV's ways to ask for more or less
		case "short", "detailed", "det", "d", "summary", "s", "local", "global", "public":
			word = ""
		}
	}
	var out []string
	n := 0
	for i := range all {
		l := &all[i]
		if !l.Advertised || l.Domain != j.mail.Domain || !strings.Contains(strings.ToLower(l.Local+" "+l.Title()+" "+l.Description), word) {
			continue
		}
		if n++; n > maxListed {
			out = append(out, "and more; LISTS and a word shows those that hold the word")
			break
		}
		entry := address.ForPeople(l.Address())
		if t := l.Title(); t != l.Local {
			entry += "\n    " + t
		}
		if d := strings.Join(strings.Fields(l.Description), " "); d != "" {
			entry += "\n    " + d
		}
		out = append(out, entry)
	}
	if len(out) == 0 {
		return result{text: "There is no such list here that is open to see."}, nil
	}
	return result{text: strings.Join(out, "\n")}, nil
}
