package archive

import (
	"strings"
	"testing"
	"time"

	"plenary/internal/fault"
)

// Every form of a date, counted from Friday, 20 March 2026.
func TestPeriods(t *testing.T) {
	now := time.Date(2026, 3, 20, 8, 0, 0, 0, time.UTC)
	for text, want := range map[string]string{
		"2026": "2026-01-01 2027-01-01", "2026-02": "2026-02-01 2026-03-01", "202602": "2026-02-01 2026-03-01", "2026-02-28": "2026-02-28 2026-03-01",
		"20240229": "2024-02-29 2024-03-01", "2026/02/28": "2026-02-28 2026-03-01", "2026-02-28T10:00:00Z": "2026-02-28 2026-03-01", "20260228100000": "2026-02-28 2026-03-01",
		"today": "2026-03-20 2026-03-21", "now": "2026-03-20 2026-03-21", "Yesterday": "2026-03-19 2026-03-20",
		"monday": "2026-03-16 2026-03-17", "fri": "2026-03-13 2026-03-14", "last.tuesday": "2026-03-17 2026-03-18",
		"march": "2026-03-01 2026-04-01", "april": "2025-04-01 2025-05-01", "sep.2024": "2024-09-01 2024-10-01", "2024.september": "2024-09-01 2024-10-01", "last.feb": "2026-02-01 2026-03-01",
		"2.weeks.ago": "2026-03-06 2026-03-07", "2.weeks": "2026-03-06 2026-03-07", "a.year.ago": "2025-03-20 2025-03-21", "three_days_ago": "2026-03-17 2026-03-18",
		"1.month.and.2.days.ago": "2026-02-18 2026-02-19", "last.month": "2026-02-20 2026-02-21", "last.week": "2026-03-13 2026-03-14", "last.year": "2025-03-20 2025-03-21",
		"9.hours.ago": "2026-03-19 2026-03-20", "a.fortnight.ago": "2026-03-06 2026-03-07", "30.minutes.ago": "2026-03-20 2026-03-21", "0.days.ago": "2026-03-20 2026-03-21",
	} {
		first, after, err := period(text, now)
		if got := first.Format("2006-01-02") + " " + after.Format("2006-01-02"); got != want || err != nil {
			t.Errorf("%s: %s, want %s (%v)", text, got, want, err)
		}
	}
	for _, text := range []string{"", "soon", "20261301", "2026-02-30", "ago", "2", "weeks.ago", "2.weeks.and", "last", "last.soon", "-1.days.ago", "999999999.years.ago", "m", "2024.2025", "2.2024", "..", "1.week.ago.ago"} {
		if _, _, err := period(text, now); !fault.Is(err, fault.Invalid) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// A page puts a full stop behind what is said: it must not look like a part of an
// example.
func TestDateErrorEndsInWords(t *testing.T) {
	if _, err := Parse("d:soon", time.Now()); err == nil || !strings.HasSuffix(err.Error(), "or the like") {
		t.Error(err)
	}
}
