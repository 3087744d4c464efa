package accept

import (
	"context"
	"unicode/utf8"
)

// minDuplicate is the length below which words may well repeat: "Thanks!" and
// "Same here." are said twice within a month by anybody.
const minDuplicate = 60 // characters of own text

// askDuplicate finds the same words under a new Message-ID: mostly a post sent
// again because its author believed it lost. The same Message-ID is no matter
// for judgement; list/posting answers it with a silent 250.
func askDuplicate(_ context.Context, c *Case) (bool, string, error) {
	return c.SeenBody && utf8.RuneCountInString(c.Reading().Body) >= minDuplicate,
		"The same author sent the same text to the list within the last 28 days.", nil
}
