package accept

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/mail/message"
	"plenary/internal/model"
)

var update = flag.Bool("update", false, "write the golden verdicts anew")

const divider = "----------\n"

// TestGolden runs every case of testdata: settings, the incoming message, and
// after the divider the verdict.
func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.golden")
	if len(files) == 0 {
		t.Fatal("no cases")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".golden"), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			parts := strings.SplitN(string(text), divider, 3)
			if len(parts) != 3 {
				t.Fatalf("%d parts instead of settings, message and verdict", len(parts))
			}
			c, err := parseCase(parts[0], parts[1])
			if err != nil {
				t.Fatal(err)
			}
			v, err := Judge(context.Background(), Rules(), c)
			if err != nil {
				t.Fatal(err)
			}
			got := fmt.Sprintf("verdict: %s\n", v.Action)
			for _, r := range v.Reasons {
				got += fmt.Sprintf("%s: %s\n", r.Rule, r.Text)
			}
			if *update {
				if err := os.WriteFile(file, []byte(parts[0]+divider+parts[1]+divider+got), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if got != parts[2] {
				t.Errorf("got\n%swant\n%s", got, parts[2])
			}
		})
	}
}

// parseCase reads the settings, one "key: value" a line.
func parseCase(settings, incoming string) (*Case, error) {
	raw := []byte(strings.ReplaceAll(expand(incoming), "\n", "\r\n"))
	l := &model.List{Local: "talk", Domain: "example.org", NonsubscriberAction: model.Hold, RequireDestination: true,
		Administrivia: true, MaxRecipients: 20, HoldSize: 2_000_000, MaxSize: 10_000_000}
	c := &Case{List: l, Raw: raw, ReversePath: "ann@example.net", Subscriber: &model.Subscriber{Roles: model.RoleSubscriber}}
	for line := range strings.Lines(settings) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		value = strings.TrimSpace(value)
		if key == "" || strings.HasPrefix(key, "#") {
			continue
		}
		if err := setCase(c, key, value); err != nil {
			return nil, fmt.Errorf("%s: %w", line, err)
		}
	}
	c.Header, c.Structure = message.ParseHeader(raw), message.Scan(raw)
	if c.Size == 0 {
		c.Size = int64(len(raw))
	}
	if from := c.Header.Addresses("From"); len(from) > 0 {
		c.Author = from[0]
	}
	return c, nil
}

// expand makes long messages writable: a line "@repeat N TEXT" stands for N
// lines.
func expand(s string) string {
	var out strings.Builder
	for line := range strings.Lines(s) {
		rest, ok := strings.CutPrefix(line, "@repeat ")
		if !ok {
			out.WriteString(line)
			continue
		}
		n, text, _ := strings.Cut(rest, " ")
		count, _ := strconv.Atoi(n)
		for i := range count {
			out.WriteString(strings.ReplaceAll(text, "#", strconv.Itoa(i)))
		}
	}
	return out.String()
}

func setCase(c *Case, key, value string) error {
	l, yes := c.List, value == "yes"
	number, _ := strconv.ParseInt(value, 10, 64)
	action, _ := model.ParseAction(value)
	switch key {
	case "list":
		a, err := address.Parse(value)
		l.Local, l.Domain = a.Local, a.Domain
		return err
	case "kind":
		l.Kind = map[string]model.ListKind{"announcement": model.Announcement, "newsletter": model.Newsletter}[value]
	case "closed":
		l.Closed = yes
	case "emergency":
		l.Emergency = yes
	case "subscriber-action":
		l.SubscriberAction = action
	case "nonsubscriber-action":
		l.NonsubscriberAction = action
	case "hold-size":
		l.HoldSize = number
	case "max-size":
		l.MaxSize = number
	case "max-recipients":
		l.MaxRecipients = int(number)
	case "alias":
		l.AcceptableAliases += value + "\n"
	case "tag":
		l.SubjectTag = value
	case "reverse-path":
		c.ReversePath = value
	case "subscriber":
		c.Subscriber = nil
		if !yes && value != "no" {
			roles := map[string]model.Role{"subscriber": model.RoleSubscriber, "editor": model.RoleEditor, "owner": model.RoleOwner, "moderator": model.RoleModerator}
			c.Subscriber = &model.Subscriber{Roles: roles[value]}
		}
	case "moderation":
		c.Subscriber.Moderation = action
	case "ban":
		c.Bans = append(c.Bans, model.Ban{Pattern: value})
	case "authenticated":
		c.Authenticated = yes
	case "seen-body":
		c.SeenBody = yes
	default:
		return errors.New("no such setting")
	}
	return nil
}

// TestTable holds the table of rules to its promises.
func TestTable(t *testing.T) {
	names := map[string]bool{}
	for _, r := range Rules() {
		if names[r.Name] || r.Name == "" {
			t.Errorf("the name %q is used twice or empty", r.Name)
		}
		names[r.Name] = true
		if len(r.Doc) < 10 || !strings.HasSuffix(r.Doc, ".") {
			t.Errorf("%s: the doc is no sentence: %q", r.Name, r.Doc)
		}
		if r.Ask == nil || r.Then == model.Defer {
			t.Errorf("%s asks nothing or means nothing", r.Name)
		}
		file := filepath.Join("testdata", r.Name+".golden")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%s has no golden case: %v", r.Name, err)
			continue
		}
		_, verdict, _ := strings.Cut(string(text), divider+"verdict: ")
		if !strings.HasPrefix(verdict, r.Then.String()+"\n") || !strings.Contains(verdict, "\n"+r.Name+": ") {
			t.Errorf("%s does not show the rule at work", file)
		}
	}
}

func TestEveryReasonIsToldAndTheTraceIsWhole(t *testing.T) {
	c, err := parseCase("subscriber: no\nemergency: yes\n", "From: bob@example.com\nTo: someone@example.com\n\nHello all.\n")
	if err != nil {
		t.Fatal(err)
	}
	v, err := Judge(context.Background(), Rules(), c)
	if err != nil || v.Action != model.Hold || len(v.Reasons) != 3 {
		t.Fatalf("%+v, %v", v, err)
	}
	if len(v.Trace) != len(Rules()) {
		t.Errorf("%d of %d rules are in the trace", len(v.Trace), len(Rules()))
	}
}

func TestARefusalStandsAlone(t *testing.T) {
	settings := "emergency: yes\nban: ann@example.net\n"
	incoming := "From: ann@example.net\nTo: talk@example.org\n\nHello all.\n"
	c, _ := parseCase(settings, incoming)
	v, err := Judge(context.Background(), Rules(), c)
	if err != nil || v.Action != model.Reject || len(v.Reasons) != 1 || v.Reasons[0].Rule != "banned" {
		t.Fatalf("%+v, %v", v, err)
	}
	if last := v.Trace[len(v.Trace)-1]; last.Rule != "banned" || !last.Hit {
		t.Errorf("the walk went on to %s", last.Rule)
	}
	c, _ = parseCase(settings, incoming)
	all, err := Explain(context.Background(), Rules(), c)
	if err != nil || all.Action != v.Action || len(all.Reasons) != 1 || len(all.Trace) != len(Rules()) {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestAQuestionWithoutAnswerVoidsTheVerdict(t *testing.T) {
	c, _ := parseCase("", "From: ann@example.net\nTo: talk@example.org\n\nLong enough a text that it is worth to be looked up in the archive.\n")
	rules := append(Rules(), Rule{Name: "archive", Then: model.Hold, Ask: func(context.Context, *Case) (bool, string, error) {
		return false, "", errors.New("disk on fire")
	}})
	_, err := Judge(context.Background(), rules, c)
	if !fault.Is(err, fault.Temporary) || bytes.Contains([]byte(fault.Text(err)), []byte("fire")) {
		t.Errorf("%v", err)
	}
}

func TestKindOfARefusal(t *testing.T) {
	for rule, want := range map[string]fault.Kind{"max-size": fault.TooLarge, "banned": fault.Forbidden} {
		v := model.Verdict{Action: model.Reject, Reasons: []model.Reason{{Rule: rule}}}
		if got := Kind(Rules(), v); got != want {
			t.Errorf("%s is answered as %v", rule, got)
		}
	}
}

func TestUnsaidRefusals(t *testing.T) {
	for rule, want := range map[string]model.Action{"banned": model.Hold, "max-size": model.Hold, "loop": model.Discard} {
		v := model.Verdict{Action: model.Reject, Reasons: []model.Reason{{Rule: rule}}}
		if got := Unsaid(Rules(), v).Action; got != want {
			t.Errorf("an unsaid refusal by %s becomes %s", rule, got)
		}
	}
	if v := Unsaid(Rules(), model.Verdict{Action: model.Accept}); v.Action != model.Accept {
		t.Errorf("an acceptance becomes %s", v.Action)
	}
}

func TestBanPatterns(t *testing.T) {
	for _, c := range []struct {
		pattern, key string
		want         bool
	}{
		{"ann@example.net", "ann@example.net", true},
		{"ann@example.net", "joann@example.net", false},
		{"@example.net", "ann@example.net", true},
		{"@example.net", "ann@mail.example.net", false},
		{"*@*.example.net", "ann@mail.example.net", true},
		{"*@*.example.net", "ann@example.net", false},
		{"sales*@example.com", "sales-7@example.com", true},
		{"a*a@example.com", "a@example.com", false},
		{"*spam*@*", "no-spam-please@example.com", true},
		{"", "ann@example.net", false},
		{"*", "ann@example.net", true},
	} {
		if got := matches(c.pattern, c.key); got != c.want {
			t.Errorf("%q on %q: %v", c.pattern, c.key, got)
		}
	}
}

func FuzzJudge(f *testing.F) {
	f.Add("subject: unsubscribe\n\nme\n", "*@*a*", "talk")
	f.Add("From: a@b.example\nContent-Type: multipart/mixed; boundary=x\n\n--x\n--x--\n", "@b.example", "Talk")
	f.Fuzz(func(t *testing.T, incoming, ban, alias string) {
		c, err := parseCase("", incoming)
		if err != nil {
			t.Skip()
		}
		c.Bans, c.List.AcceptableAliases = []model.Ban{{Pattern: ban}}, alias
		if v, err := Judge(context.Background(), Rules(), c); err != nil || v.Action == model.Defer || len(v.Trace) == 0 {
			t.Errorf("%+v, %v", v, err)
		}
	})
}
