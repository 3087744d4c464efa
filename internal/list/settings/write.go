package settings

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"golang.org/x/text/language"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message/word"
	"plenary/internal/model"
)

// maxSize bounds sizes, octets.
const maxSize = 1_000_000_000

// words are the keywords of a choice.
type words[T comparable] map[string]T

func (s Setting) risky() Setting {
	s.Risky = true
	return s
}

func refuse(format string, args ...any) error { return fault.New(fault.Invalid, format, args...) }

// quote shows what somebody typed, bounded.
func quote(s string) string {
	if r := []rune(word.Line(s)); len(r) > 60 {
		return strconv.Quote(string(r[:60]) + "…")
	}
	return strconv.Quote(word.Line(s))
}

func choice[T comparable](key, doc string, at func(*model.List) *T, of words[T]) Setting {
	names := make([]string, 0, len(of))
	for name := range of {
		names = append(names, name)
	}
	sort.Strings(names)
	return Setting{Key: key, Doc: doc, Kind: Choice, Choices: names,
		get: func(l *model.List) string {
			for _, name := range names {
				if of[name] == *at(l) {
					return name
				}
			}
			return ""
		},
		set: func(l *model.List, v string) error {
			value, ok := of[strings.ToLower(v)]
			if !ok {
				return refuse("it is one of %s", strings.Join(names, ", "))
			}
			*at(l) = value
			return nil
		}}
}

func action(key, doc string, at func(*model.List) *model.Action) Setting {
	s := choice(key, doc, at, words[model.Action]{"accept": model.Accept, "hold": model.Hold, "reject": model.Reject, "discard": model.Discard})
	s.Risky = true
	return s
}

func line(key, doc string, max int, at func(*model.List) *string) Setting {
	return Setting{Key: key, Doc: doc, Kind: Line, get: func(l *model.List) string { return *at(l) },
		set: func(l *model.List, v string) error {
			if word.Line(v) != v && strings.Join(strings.Fields(v), " ") != word.Line(v) || strings.ContainsAny(v, "\r\n") {
				return refuse("it is one line of plain text")
			}
			if len(v) > max {
				return refuse("it may be %d octets long", max)
			}
			*at(l) = word.Line(v)
			return nil
		}}
}

func text(key, doc string, max int, at func(*model.List) *string) Setting {
	return Setting{Key: key, Doc: doc, Kind: Text, get: func(l *model.List) string { return *at(l) },
		set: func(l *model.List, v string) error {
			if len(v) > max {
				return refuse("it may be %d octets long", max)
			}
			*at(l) = strings.TrimSpace(word.Clean(v))
			return nil
		}}
}

func languageTag(key, doc string, at func(*model.List) *string) Setting {
	return Setting{Key: key, Doc: doc, Kind: Line, get: func(l *model.List) string { return *at(l) },
		set: func(l *model.List, v string) error {
			tag, err := language.Parse(v)
			if err != nil || v == "" {
				return refuse("it is a language tag such as en or pt-BR")
			}
			*at(l) = tag.String()
			return nil
		}}
}

func flag(key, doc string, at func(*model.List) *bool) Setting {
	return Setting{Key: key, Doc: doc, Kind: Flag,
		get: func(l *model.List) string {
			if *at(l) {
				return "yes"
			}
			return "no"
		},
		set: func(l *model.List, v string) error {
			switch strings.ToLower(v) {
			case "yes", "y", "true", "on", "1":
				*at(l) = true
			case "no", "n", "false", "off", "0":
				*at(l) = false
			default:
				return refuse("it is yes or no")
			}
			return nil
		}}
}

func number(key, doc string, min, max int, at func(*model.List) *int) Setting {
	return Setting{Key: key, Doc: doc, Kind: Number, get: func(l *model.List) string { return strconv.Itoa(*at(l)) },
		set: func(l *model.List, v string) error {
			n, err := strconv.Atoi(v)
			if err != nil || n < min || n > max {
				return refuse("it is a whole number from %d to %d", min, max)
			}
			*at(l) = n
			return nil
		}}
}

// size reads octets with an optional unit; units are thousands, as on the labels
// of disks and in mail programs.
func size(key, doc string, at func(*model.List) *int64) Setting {
	units := []struct {
		name string
		n    int64
	}{{"G", 1_000_000_000}, {"M", 1_000_000}, {"K", 1_000}}
	return Setting{Key: key, Doc: doc, Kind: Size,
		get: func(l *model.List) string {
			n := *at(l)
			for _, u := range units {
				if n != 0 && n%u.n == 0 {
					return fmt.Sprintf("%d%s", n/u.n, u.name)
				}
			}
			return strconv.FormatInt(n, 10)
		},
		set: func(l *model.List, v string) error {
			digits, factor := strings.TrimSuffix(strings.ToUpper(strings.ReplaceAll(v, " ", "")), "B"), int64(1)
			for _, u := range units {
				if d, ok := strings.CutSuffix(digits, u.name); ok {
					digits, factor = d, u.n
					break
				}
			}
			n, err := strconv.ParseInt(digits, 10, 64)
			if err != nil || n < 0 || n > maxSize/factor {
				return refuse("it is a size in octets, such as 500K or 10M, at most 1G")
			}
			*at(l) = n * factor
			return nil
		}}
}

func addresses(key, doc string, at func(*model.List) *string) Setting {
	return Setting{Key: key, Doc: doc, Kind: Text, get: func(l *model.List) string { return *at(l) },
		set: func(l *model.List, v string) error {
			var out []string
			for _, item := range strings.FieldsFunc(v, func(r rune) bool { return r <= ' ' || r == ',' || r == ';' }) {
				a, err := address.Parse(item)
				if err != nil {
					return refuse("%s is not a usable address", quote(item))
				}
				out = append(out, a.String())
			}
			if len(out) > 100 {
				return refuse("there may be 100 addresses")
			}
			*at(l) = strings.Join(out, "\n")
			return nil
		}}
}
