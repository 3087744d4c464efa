package imapd

import (
	"strconv"
	"strings"
)

// checkItems refuses items of FETCH that the grammar does not know (RFC 9051 9)
// and go-imap takes for something else: an empty list, a part number that is 0 or
// too large, MIME without a part, and a list of no fields.
func checkItems(args string) error {
	_, items, _ := strings.Cut(args, " ")
	items, _ = cutItem(strings.TrimLeft(items, " "))
	if strings.HasPrefix(items, "(") {
		if items = strings.Trim(items[1:], " )"); items == "" {
			return &syntaxError{text: "FETCH names what is wanted"}
		}
	}
	for items != "" {
		var item string
		item, items = cutItem(items)
		if _, section, ok := strings.Cut(item, "["); ok && !sectionSpec(section) {
			return &syntaxError{text: "There is no such section"}
		}
	}
	return nil
}

// sectionSpec looks at what follows the bracket. What else is wrong with it go-imap
// says.
func sectionSpec(section string) bool {
	parts := 0
	for section != "" && section[0] >= '0' && section[0] <= '9' {
		end := strings.IndexAny(section, ".]")
		if end < 0 {
			return false
		}
		n, err := strconv.ParseUint(section[:end], 10, 32)
		if err != nil || n == 0 || section[0] == '0' {
			return false
		}
		parts++
		if section[end] == ']' {
			return true
		}
		section = section[end+1:]
	}
	section = strings.ToUpper(section)
	if fields, ok := strings.CutPrefix(section, "HEADER.FIELDS"); ok {
		fields = strings.TrimLeft(strings.TrimPrefix(fields, ".NOT"), " ")
		return strings.HasPrefix(fields, "(") && !strings.HasPrefix(strings.TrimLeft(fields[1:], " "), ")")
	}
	return parts > 0 || !strings.HasPrefix(section, "MIME")
}
