package command_test

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"

	"plenary/internal/list/command"
	"plenary/internal/mail/address"
	"plenary/internal/model"
)

// TestAnyMailIsAnswered carries out mails made of verbs and of what people and
// their programs put around them: none may fail or end the program.
func TestAnyMailIsAnswered(t *testing.T) {
	n := 3000
	if testing.Short() {
		n = 500
	}
	r := newRig(t)
	r.add("talk", "ann@example.net", model.RoleSubscriber)
	r.Search = func(_ context.Context, _ address.Address, _ *model.List, query string, _ int) (command.Found, error) {
		return command.Found{Total: 1, Posts: []command.FoundPost{{Day: "2026-03-02", Author: query, Subject: query, Snippet: query}}}, nil
	}
	words := strings.Fields("SUBSCRIBE sub JOIN SIGNOFF leave OK ok NO QUERY HELP ? LISTS INFO SEARCH search SET - END IN in FOR the talk TALK hidden " +
		"talk@lists.example.org <talk@lists.example.org> ann@example.net address= address=ȺȺȺ= address=bo@example.com ADDRESS=\"x\" Ann Lee ȺȺȺȺȺȺȺȺ İİİ KKK ßẞ 図書館 \"a b\" \" * ** d:2026.. -x ( ) " +
		"= == a=b < > <> <a@b> @ a@ @b .,;:!? “talk” «x» pw=1 PASSWORD \\ // //JOB // NOMAIL DIGEST WITH LIKE ON AT \xff é́ 0123456789abcdefghjkmnpqrs")
	words = append(words, "\u00a0", "\u3000", "\t", "", strings.Repeat("x", 3000), strings.Repeat("Ⱥ", 900))
	rnd := rand.New(rand.NewPCG(1, 4))
	line := func() string {
		var b strings.Builder
		for range 1 + rnd.IntN(7) {
			b.WriteString(words[rnd.IntN(len(words))] + []string{" ", " ", " ", "\t", "\u00a0", "", ","}[rnd.IntN(7)])
		}
		return b.String()
	}
	for range n {
		m := command.Mail{Entry: command.AtServer}
		if rnd.IntN(3) == 0 {
			m.Entry, m.List = command.AtRequest, r.talk
		}
		header := ""
		if rnd.IntN(3) == 0 {
			header = "Subject: " + line() + "\r\n"
		}
		text := line() + "\r\n"
		if rnd.IntN(3) == 0 {
			text += line() + "\r\n"
		}
		func() {
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("%q %q: %v", header, text, p)
				}
			}()
			r.mail(m, header, text)
		}()
	}
}
