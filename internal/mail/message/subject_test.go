package message

import (
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"testing"
)

func TestBaseSubject(t *testing.T) {
	for _, c := range []struct {
		in, want string
		reply    bool
	}{
		{"hello", "hello", false},
		{"Re: hello", "hello", true},
		{"  RE :  hello   world ", "hello world", true},
		{"Re: Re: Fwd: hello", "hello", true},
		{"[talk] hello", "hello", false},
		{"Re: [talk] Re: hello", "hello", true},
		{"[a][b] Re[2]: hello", "hello", true},
		{"[talk]", "[talk]", false},
		{"Re: [xyz]", "[xyz]", true},
		{"hello (fwd)", "hello", true},
		{"hello (fWd)  (fwd)", "hello", true},
		{"[Fwd: hello]", "hello", true},
		{"Re: [FWD: c]", "c", true},
		{"re: [fwd: [fwd: re: [fwd: babylon]]]", "babylon", true},
		{"[foo] Fwd: [bar] Re: fw: b (fWd)  (fwd)", "b", true},
		{"b (a)", "b (a)", false},
		{"Ad: Re: Ad: Re: Ad: x", "Ad: Re: Ad: Re: Ad: x", false},
		{"AW: hallo", "hallo", true},
		{"Antw: hallo", "hallo", true},
		{"SV: hej", "hej", true},
		{"RE：你好", "你好", true},
		{"回复: 你好", "你好", true},
		{"Ответ: привет", "привет", true},
		{"RÉP : bonjour", "bonjour", true},
		{"Re^2: x", "x", true},
		{"Re(3): x", "x", true},
		{"Re-4: x", "x", true},
		{"R: how to plot", "R: how to plot", false},
		{"Reply: x", "Reply: x", false},
		{"Regarding x", "Regarding x", false},
		{"re", "re", false},
		{"Re:", "", true},
		{"", "", false},
		{"talk: hello", "hello", false},
		{"Re: TALK: Re: hello", "hello", true},
	} {
		got, reply := BaseSubject(c.in, "talk:", "[x]", "")
		if got != c.want || reply != c.reply {
			t.Errorf("%q: %q %v, want %q %v", c.in, got, reply, c.want, c.reply)
		}
	}
}

func TestBaseSubjectOfAbuse(t *testing.T) {
	for _, s := range []string{"re: ", "[", "[a]", "[fwd: ", "(fwd)", "Re [", "]", "re^1", "[a] re"} {
		BaseSubject(strings.Repeat(s, 60_000), "[talk]")
		BaseSubject(strings.Repeat(s, 60_000)+strings.Repeat("]", 60_000), "[talk]")
	}
}

// TestBaseSubjectSortsAsOthersDo takes imaptest's SORT (SUBJECT) script for truth.
func TestBaseSubjectSortsAsOthersDo(t *testing.T) {
	dir := filepath.Join(corpus(t, "threading"), "imaptest")
	raw, err := os.ReadFile(filepath.Join(dir, "sort-subject.mbox"))
	if err != nil {
		t.Fatal(err)
	}
	var subjects []string
	for _, msg := range strings.Split("\n"+string(raw), "\nFrom ")[1:] {
		_, msg, _ = strings.Cut(msg, "\n")
		base, _ := BaseSubject(ParseHeader([]byte(msg)).Text("Subject"))
		subjects = append(subjects, strings.ToUpper(base))
	}
	order := make([]int, len(subjects))
	for i := range order {
		order[i] = i
	}
	sort.SliceStable(order, func(i, k int) bool { return subjects[order[i]] < subjects[order[k]] })
	got := "* sort"
	for _, i := range order {
		got += " " + strconv.Itoa(i+1)
	}
	script, err := os.ReadFile(filepath.Join(dir, "sort-subject"))
	if err != nil {
		t.Fatal(err)
	}
	_, want, _ := strings.Cut(string(script), "sort (subject) us-ascii all\n")
	want, _, _ = strings.Cut(want, "\n")
	if got != want {
		t.Errorf("got %s\nwant %s\n%q", got, want, subjects)
	}
}
