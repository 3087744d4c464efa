package command

import (
	"context"
	"strings"

	"plenary/internal/model"
)

func cmdEnd() command {
	return command{
		Names: []string{"END", "STOP", "QUIt", "EXIT", "-", "LOGOUT"},
		Doc:   "What follows is not read.",
		end:   true,
		fits:  func(_ *job, _ string, args []string) bool { return len(args) == 0 },
		run:   func(context.Context, *job, call) (result, error) { return result{stop: true}, nil },
	}
}

// cmdLater are commands of other list servers that people know and that do not
// exist here (yet): they get a sentence instead of being taken for a letter.
func cmdLater() command {
	return command{
		Names: []string{"SET", "REView", "WHO", "GET", "GETPOST", "INDex", "SCAN", "STATS", "CHANGE", "REGister", "PW", "PASSWORD", "ECHO", "REMIND",
			"INVite", "ADD", "DELete", "HOLD", "FREE", "MODINDEX"},
		Usage: "...",
		Doc:   "Commands of other list servers; not available by mail here.",
		fits:  fitsLater,
		run:   runLater,
	}
}

func fitsLater(j *job, verb string, args []string) bool {
	if len(args) == 0 {
		return verb != "GET" && verb != "ADD" && verb != "HOLD" && verb != "FREE" && verb != "CHANGE"
	}
	first := strings.ToLower(args[0])
	switch verb {
	case "PW", "PASSWORD", "ECHO":
		return len(args) <= 4
	case "SET":
		return model.OptionWord(first) || len(args) > 1 && model.OptionWord(strings.ToLower(args[1]))
	}
	return first == "*" || j.listNamed(args[0]) != nil
}

func runLater(_ context.Context, _ *job, c call) (result, error) {
	switch c.verb {
	case "PW", "PASSWORD":
		return result{text: "Passwords are not used here: requests are confirmed by replying to a letter."}, nil
	case "ECHO":
		return result{text: "This is the list server. It works."}, nil
	}
	return result{text: c.verb + " is not available by mail here. HELP shows what is; the owners of a list can do the rest."}, nil
}
