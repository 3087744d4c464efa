package model

// optionWords follow SET in the commands of list servers people come from.
var optionWords = map[string]bool{ //nolint:gochecknoglobals // a constant table
	"mail": true, "nomail": true, "digest": true, "digests": true, "nodigest": true, "nodigests": true, "index": true, "noindex": true,
	"ack": true, "noack": true, "repro": true, "norepro": true, "conceal": true, "noconceal": true, "mime": true, "nomime": true, "html": true,
	"nohtml": true, "topics:": true, "delivery": true, "authenticate": true, "show": true, "help": true, "hide": true, "duplicates": true,
	"reminders": true, "myposts": true,
}

// OptionWord reports whether a word, in lower case, is what people say behind SET:
// the commands know it, and a post that begins so was meant for them.
func OptionWord(s string) bool { return optionWords[s] }
