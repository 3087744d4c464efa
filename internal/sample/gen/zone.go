package gen

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// zone is a place's offset and its summer-time rule. The rules are written
// out here because the machine's time zone tables change with the years and
// the archive must not.
type zone struct {
	hours  int
	summer string // "eu", "us" or "" for none
}

// parseZone reads "eu+1", "us-5" or "+9".
func parseZone(s string) (zone, error) {
	rule := strings.TrimRight(s, "+-0123456789")
	hours, err := strconv.Atoi(strings.TrimPrefix(s, rule))
	if err != nil || rule != "" && rule != "eu" && rule != "us" {
		return zone{}, fmt.Errorf("zone %q", s)
	}
	return zone{hours: hours, summer: rule}, nil
}

// wall gives the instant at which the clocks there show t.
func (z zone) wall(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), t.Minute(), t.Second(), 0, z.at(t))
}

// show gives the same instant in the zone.
func (z zone) show(t time.Time) time.Time {
	return t.In(z.at(t.UTC().Add(time.Duration(z.hours) * time.Hour)))
}

func (z zone) at(wall time.Time) *time.Location {
	hours := z.hours
	if z.isSummer(wall) {
		hours++
	}
	return time.FixedZone("", hours*3600)
}

func (z zone) isSummer(wall time.Time) bool {
	y := wall.Year()
	day := time.Date(y, wall.Month(), wall.Day(), 0, 0, 0, 0, time.UTC)
	switch z.summer {
	case "eu": // last Sunday of March to last Sunday of October
		return !day.Before(sunday(y, time.April, -1)) && day.Before(sunday(y, time.November, -1))
	case "us": // second Sunday of March to first Sunday of November
		return !day.Before(sunday(y, time.March, 2)) && day.Before(sunday(y, time.November, 1))
	}
	return false
}

// sunday is the nth Sunday of a month; n = -1 is the last one before it.
func sunday(year int, month time.Month, n int) time.Time {
	first := time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	first = first.AddDate(0, 0, (7-int(first.Weekday()))%7)
	if n > 0 {
		n--
	}
	return first.AddDate(0, 0, 7*n)
}
