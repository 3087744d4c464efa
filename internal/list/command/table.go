package command

import "strconv"

// verbs is the table of commands, in the order they are tried.
func verbs() []command {
	return []command{cmdSubscribe(), cmdSignoff(), cmdOK(), cmdNo(), cmdHelp(), cmdLists(), cmdInfo(), cmdQuery(), cmdSearch(), cmdEnd(), cmdLater()}
}

// name is the verb as shown to people.
func (c *command) name() string { return c.Names[0] }

// strong are the spellings that no letter begins with; all others of a weak
// command are everyday words.
var strong = map[string]bool{"SUBSCRIBE": true, "UNSUBSCRIBE": true, "SIGNOFF": true, "ADDME": true}

func (c *command) isWeak(verb string) bool { return !strong[verb] }

func itoa(n int) string { return strconv.Itoa(n) }
