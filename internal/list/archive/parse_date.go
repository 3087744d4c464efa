package archive

import (
	"strconv"
	"strings"
	"time"

	"plenary/internal/fault"
)

// dates reads a day or a range of days, both ends included.
func dates(text string, now time.Time) (Query, error) {
	from, to, isRange := strings.Cut(text, "..")
	var parts []Query
	var begin time.Time
	if from != "" {
		first, last, err := period(from, now)
		if err != nil {
			return Query{}, err
		}
		begin = first
		parts = append(parts, ShownFrom(first))
		if !isRange {
			parts = append(parts, ShownBefore(last))
		}
	}
	if to != "" {
		_, last, err := period(to, now)
		if err != nil {
			return Query{}, err
		}
		if !begin.Before(last) && from != "" {
			return Query{}, fault.New(fault.Invalid, "%q ends before it begins: the earlier day comes first", brief(text))
		}
		parts = append(parts, ShownBefore(last))
	}
	if len(parts) == 0 {
		return Query{}, badDate(text)
	}
	return And(parts...), nil
}

func badDate(text string) error {
	return fault.New(fault.Invalid, "%q is no date: write d:2026-03-01, d:2026-03, d:2026, d:2026-01-01..2026-03-31, d:2.weeks.ago.. or the like", brief(text))
}

// brief cuts what is repeated in an explanation.
func brief(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}

// period gives the first day of what text names, and the first day after it:
// a year, a month or a day in figures; today, yesterday; a day of the week or a
// month by its name, the last one that was; so long ago (2.weeks.ago, a.year.ago,
// last.month), which is one day. Words are parted by dots, as public-inbox and git
// have it.
func period(text string, now time.Time) (first, after time.Time, err error) {
	if first, after, ok := figures(text); ok {
		return first, after, nil
	}
	words := strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == '.' || r == '_' })
	if len(words) > 1 && words[0] == "last" { // last.monday, last.march
		if first, after, ok := named(words[1:], now); ok {
			return first, after, nil
		}
	}
	if first, after, ok := named(words, now); ok {
		return first, after, nil
	}
	if first, ok := ago(words, now); ok {
		return first, first.AddDate(0, 0, 1), nil
	}
	return first, after, badDate(text)
}

// figures reads 2026, 202603, 2026-03, 20260301, 2026-03-01 and what ISO 8601
// writes behind a day, of which only the day counts.
func figures(text string) (first, after time.Time, ok bool) {
	if n := strings.IndexAny(text, "Tt"); n == 8 || n == 10 {
		text = text[:n]
	}
	for _, f := range []struct {
		layout         string
		year, mon, day int
	}{{"2006-01-02", 0, 0, 1}, {"20060102", 0, 0, 1}, {"2006/01/02", 0, 0, 1}, {"20060102150405", 0, 0, 1}, {"2006-01", 0, 1, 0}, {"200601", 0, 1, 0}, {"2006", 1, 0, 0}} {
		if t, err := time.Parse(f.layout, text); err == nil {
			return t, t.AddDate(f.year, f.mon, f.day), true
		}
	}
	return first, after, false
}

// named reads today, yesterday, monday, march and march.2025, also the other way
// round; names may be cut to three letters.
func named(words []string, now time.Time) (first, after time.Time, ok bool) {
	year := 0
	for i, w := range words {
		if n, err := strconv.Atoi(w); err == nil && len(words) == 2 && n >= 1000 && n <= 9999 {
			year, words = n, []string{words[1-i]}
			break
		}
	}
	if len(words) != 1 || len(words[0]) < 3 {
		return first, after, false
	}
	w := words[0]
	if year == 0 {
		switch w {
		case "now", "today":
			return now, now.AddDate(0, 0, 1), true
		case "yesterday":
			return now.AddDate(0, 0, -1), now, true
		}
		for d := range 7 { // today's name is the one a week ago
			day := now.AddDate(0, 0, -1-d)
			if strings.HasPrefix(strings.ToLower(day.Weekday().String()), w) {
				return day, day.AddDate(0, 0, 1), true
			}
		}
	}
	for m := time.January; m <= time.December; m++ {
		if !strings.HasPrefix(strings.ToLower(m.String()), w) {
			continue
		}
		first = time.Date(now.Year(), m, 1, 0, 0, 0, 0, now.Location())
		switch {
		case year != 0:
			first = first.AddDate(year-now.Year(), 0, 0)
		case first.After(now):
			first = first.AddDate(-1, 0, 0)
		}
		return first, first.AddDate(0, 1, 0), true
	}
	return first, after, false
}

var numberWords = map[string]int{"a": 1, "an": 1, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
	"eleven": 11, "twelve": 12}

// maxAgo is the largest number before a unit.
const maxAgo = 100_000

// ago reads 2.weeks.ago, 2.weeks, a.year.and.3.days.ago and last.month.
func ago(words []string, now time.Time) (at time.Time, ok bool) {
	if n := len(words); n > 0 && words[n-1] == "ago" {
		words = words[:n-1]
	}
	at = now
	for i := 0; i < len(words); i++ {
		w := words[i]
		if w == "and" && i > 0 && i+1 < len(words) {
			continue
		}
		n, known := numberWords[w]
		if w == "last" && len(words) == 2 {
			n, known = 1, true
		}
		if !known {
			var err error
			if n, err = strconv.Atoi(w); err != nil || n < 0 || n > maxAgo {
				return at, false
			}
		}
		if i++; i == len(words) {
			return at, false
		}
		switch strings.TrimSuffix(words[i], "s") {
		case "second", "sec":
			at = at.Add(-time.Duration(n) * time.Second)
		case "minute", "min":
			at = at.Add(-time.Duration(n) * time.Minute)
		case "hour":
			at = at.Add(-time.Duration(n) * time.Hour)
		case "day":
			at = at.AddDate(0, 0, -n)
		case "week":
			at = at.AddDate(0, 0, -7*n)
		case "fortnight":
			at = at.AddDate(0, 0, -14*n)
		case "month":
			at = at.AddDate(0, -n, 0)
		case "year":
			at = at.AddDate(-n, 0, 0)
		default:
			return at, false
		}
		ok = true
	}
	return at, ok
}
