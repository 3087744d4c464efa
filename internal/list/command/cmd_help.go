package command

import (
	"context"
	"strings"
)

func cmdHelp() command {
	return command{
		Names: []string{"Help", "SOS", "?", "MAN"},
		Usage: "[command]",
		Doc:   "This help, or what one command does.",
		fixed: true,
		fits:  fitsHelp,
		run:   runHelp,
	}
}

func fitsHelp(j *job, _ string, args []string) bool {
	return len(args) == 0 || len(args) == 1 && (j.findVerb(args[0]) != nil || j.listNamed(args[0]) != nil)
}

// findVerb finds a command by its verb or an abbreviation; nil: none.
func (j *job) findVerb(word string) *command {
	for i := range j.s.table {
		if c := &j.s.table[i]; len(word) > 1 {
			if _, ok := c.match(trimWord(word)); ok {
				return c
			}
		}
	}
	return nil
}

func runHelp(_ context.Context, j *job, c call) (result, error) {
	if len(c.args) == 1 {
		if cmd := j.findVerb(c.args[0]); cmd != nil {
			names := make([]string, 0, len(cmd.Names))
			for _, n := range cmd.Names {
				names = append(names, strings.ToUpper(n))
			}
			text := strings.TrimSpace(names[0]+" "+cmd.Usage) + "\n" + cmd.Doc
			if len(names) > 1 {
				text += "\nAlso: " + strings.Join(names[1:], ", ") + "."
			}
			return result{text: text}, nil
		}
	}
	return result{text: "The commands are below.", help: true}, nil
}
