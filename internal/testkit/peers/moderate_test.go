package peers

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/testkit"
	"plenary/internal/testkit/postgres"
)

const (
	moderated = "talk@lists.example.org"
	stranger  = "stranger@example.com"
	held      = "Moderation/talk/Pending"
)

// desk is a running program whose list has two moderators.
type desk struct {
	*testkit.Plenary
	t    *testing.T
	list *model.List
	env  []string // of a command line beside it
	ann  string   // passwords
	bob  string
}

func newDesk(t *testing.T, dsn string) *desk {
	t.Helper()
	var env []string
	p := testkit.Start(t, func(c *config.Config) {
		if dsn != "" {
			c.Database.DSN = dsn
		}
		env = testkit.Env(c.DataDir, "PLENARY_DATABASE_DSN="+c.Database.DSN)
	})
	d := &desk{Plenary: p, t: t, list: p.List(moderated, model.Discussion), env: env}
	p.Add(d.list, model.RoleSubscriber|model.RoleModerator, "ann@example.org", "bob@example.org")
	p.Add(d.list, model.RoleSubscriber, "cat@example.org")
	d.ann, d.bob = p.Password("ann@example.org"), p.Password("bob@example.org")
	return d
}

// offer sends a post that will be held.
func (d *desk) offer(n int) {
	d.t.Helper()
	r := d.Send(stranger, []string{moderated}, testkit.Mail("From: Stranger <"+stranger+">", "To: "+moderated, fmt.Sprintf("Subject: Offer %d", n),
		fmt.Sprintf("Message-ID: <offer%d@example.com>", n), "Date: Mon, 05 Jan 2026 10:00:00 +0000", "", fmt.Sprintf("The words of offer %d.", n)))
	if r.Code != 250 {
		d.t.Fatalf("%+v", r)
	}
}

func (d *desk) expect(c *testkit.IMAP, want string) {
	d.t.Helper()
	if got := c.Response(); !regexp.MustCompile(want).MatchString(got) {
		d.t.Fatalf("got %q, want %q", got, want)
	}
}

// letter waits for a letter whose subject matches.
func (d *desk) letter(to, subject string) string {
	d.t.Helper()
	re := regexp.MustCompile(`(?mi)^Subject: ` + subject)
	for deadline := time.Now().Add(testkit.Patience); ; time.Sleep(10 * time.Millisecond) {
		rows := d.Caught(to, 0)
		for i := range rows {
			full, err := d.Store.GetCaught(context.Background(), rows[i].ID)
			if err != nil {
				d.t.Fatal(err)
			}
			if re.Match(full.Data) {
				return string(full.Data)
			}
		}
		if time.Now().After(deadline) {
			d.t.Fatalf("%s gets no letter %q, of %d", to, subject, len(rows))
		}
	}
}

// number gives a held post's number by its subject.
func (d *desk) number(subject string) int64 {
	d.t.Helper()
	all, err := d.Moderation.Pending(context.Background(), d.list)
	if err != nil {
		d.t.Fatal(err)
	}
	for i := range all {
		if all[i].Subject == subject {
			return all[i].ID
		}
	}
	d.t.Fatalf("%q does not wait", subject)
	return 0
}

// TestModeratorsDecideInTheirMailPrograms: two moderators look at what waits,
// and see at once what the other one, a reply by mail or the command line
// decides.
func TestModeratorsDecideInTheirMailPrograms(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { moderateAll(newDesk(t, "")) })
	t.Run("postgres", func(t *testing.T) { moderateAll(newDesk(t, postgres.DSN(t))) })
}

func moderateAll(d *desk) {
	d.offer(1)
	ann := testkit.DialIMAP(d.t, d.At.IMAP, "ann@example.org", d.ann)
	bob := testkit.DialIMAP(d.t, d.At.IMAP, "bob@example.org", d.bob)
	if got := strings.Join(ann.OK(`LIST "" "Moderation/*"`), "\n"); strings.Count(got, "Moderation/talk/") != 4 {
		d.t.Errorf("the moderators' folders: %s", got)
	}
	if got := strings.Join(ann.OK("SELECT "+held), "\n"); !strings.Contains(got, "* 1 EXISTS") || !strings.Contains(got, "[UIDNEXT 2]") {
		d.t.Errorf("%s", got)
	}
	if got := strings.Join(ann.OK("UID SEARCH SUBJECT offer BODY words"), ""); got != "* SEARCH 1" {
		d.t.Errorf("%q", got)
	}
	if got := strings.Join(ann.OK("FETCH 1 BODY.PEEK[TEXT]"), ""); !strings.Contains(got, "The words of offer 1.") {
		d.t.Errorf("%q", got)
	}
	bob.OK("SELECT " + held)
	bob.Idle()

	// One comes, and one of them lets it out.
	d.offer(2)
	d.expect(bob, `^\* 2 EXISTS$`)
	ann.OK("NOOP")
	if got := strings.Join(ann.OK("UID MOVE 1 Moderation/talk/Approve"), "\n"); !strings.Contains(got, "* 1 EXPUNGE") {
		d.t.Errorf("%s", got)
	}
	d.expect(bob, `^\* 1 EXPUNGE$`)
	d.letter("cat@example.org", `(?:\[.*\] )?Offer 1`)
	d.letter("bob@example.org", `.*Offer 1`)

	// Rejected: the author is told.
	ann.OK("MOVE 1 Moderation/talk/Reject")
	d.expect(bob, `^\* 1 EXPUNGE$`)
	d.letter(stranger, `Your message was not accepted: Offer 2`)

	// By the command line, in another process.
	d.offer(3)
	d.expect(bob, `^\* 1 EXISTS$`)
	testkit.Run(d.t, d.env, nil, "held", "discard", fmt.Sprint(d.number("Offer 3")))
	d.expect(bob, `^\* 1 EXPUNGE$`)

	// By a reply to the letter.
	d.offer(4)
	d.expect(bob, `^\* 1 EXISTS$`)
	ask := d.letter("ann@example.org", `To decide: Offer 4`)
	field := func(name string) string {
		m := regexp.MustCompile(`(?mi)^` + name + `: ([^\r\n]*(?:\r\n[ \t][^\r\n]*)*)`).FindStringSubmatch(ask)
		if m == nil {
			d.t.Fatalf("no %s in\n%s", name, ask)
		}
		return strings.ReplaceAll(m[1], "\r\n", "")
	}
	to := regexp.MustCompile(`[^<>\s]+@[^<>\s]+`).FindString(field("Reply-To"))
	if r := d.Send("ann@example.org", []string{to}, testkit.Mail("From: ann@example.org", "To: "+to, "Subject: Re: "+field("Subject"),
		"Message-ID: <decision@example.org>", "", "OK")); r.Code != 250 {
		d.t.Fatalf("%+v", r)
	}
	d.expect(bob, `^\* 1 EXPUNGE$`)
	d.letter("cat@example.org", `(?:\[.*\] )?Offer 4`)

	// Who comes late is told by whom.
	bob.Done()
	d.offer(5)
	bob.OK("NOOP")
	testkit.Run(d.t, d.env, nil, "held", "discard", fmt.Sprint(d.number("Offer 5")))
	if got := bob.No("MOVE 1 Moderation/talk/Approve"); !strings.Contains(got, "discarded already, by the postmaster") {
		d.t.Errorf("%q", got)
	}

	// UIDs are not used again, and nobody else sees the folders.
	if got := strings.Join(ann.OK("STATUS "+held+" (MESSAGES UIDNEXT UIDVALIDITY)"), ""); !strings.Contains(got, "MESSAGES 0 UIDNEXT 6 ") {
		d.t.Errorf("%q", got)
	}
	cat := testkit.DialIMAP(d.t, d.At.IMAP, "cat@example.org", d.Password("cat@example.org"))
	if got := strings.Join(cat.OK(`LIST "" *`), "\n"); strings.Contains(got, "Moderation") {
		d.t.Errorf("a subscriber sees %s", got)
	}
	cat.No("SELECT " + held)

	// Losing the role closes the folder.
	bob.OK("SELECT " + held)
	bob.Idle()
	testkit.Run(d.t, d.env, nil, "subscriber", "rm", moderated, "bob@example.org")
	d.expect(bob, `^\* BYE .*no longer open to you`)
	row, err := d.Store.FindSubscriber(context.Background(), d.list.ID, "ann@example.org")
	if err != nil {
		d.t.Fatal(err)
	}
	ann.OK("SELECT " + held)
	ann.Idle()
	row.Roles = model.RoleSubscriber
	if err := d.Store.SaveSubscriber(context.Background(), row); err != nil {
		d.t.Fatal(err)
	}
	d.expect(ann, `^\* BYE .*no longer open to you`)
}
