package model

import (
	"strconv"
	"strings"
	"unicode"
)

// Pair is a keyword with its value as text: what somebody asks to be set.
type Pair struct{ Key, Value string }

// Changed is a keyword whose value became another one.
type Changed struct{ Key, Was, Is string }

// ChangedText writes changes for the trace, in one line however long the values
// are: `emergency=yes (was no), name="Book club"` where there was no name.
func ChangedText(all []Changed) string {
	var out []string
	for _, c := range all {
		text := c.Key + "=" + shown(c.Is)
		if c.Was != "" {
			text += " (was " + shown(c.Was) + ")"
		}
		out = append(out, text)
	}
	return strings.Join(out, ", ")
}

const maxShown = 60 // characters of a value

// shown is the value itself when it is words, and else in quotes, bounded.
func shown(value string) string {
	runes := []rune(value)
	if len(runes) > maxShown {
		return strconv.Quote(string(runes[:maxShown]) + "…")
	}
	if value == "" || strings.ContainsFunc(value, notInWord) {
		return strconv.Quote(value)
	}
	return value
}

func notInWord(r rune) bool {
	return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-+,", r)
}
