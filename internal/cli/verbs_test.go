package cli

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"plenary/internal/config"
	"plenary/internal/model"
	"plenary/internal/sample"
)

const (
	talk = "talk@lists.example.org"
	news = "news@lists.example.org"
)

// TestEveryVerb is the life of two lists on the command line. At its end every
// verb has run.
func TestEveryVerb(t *testing.T) {
	r := newRig(t)
	for _, part := range []struct {
		name string
		run  func(*rig)
	}{{"ground", groundVerbs}, {"lists", listVerbs}, {"people", peopleVerbs}, {"held", heldVerbs}, {"access", accessVerbs},
		{"archive", archiveVerbs}, {"queue", queueVerbs}, {"end", endVerbs}} {
		if !t.Run(part.name, func(t *testing.T) { sub := *r; sub.t = t; part.run(&sub) }) {
			return
		}
	}
	// Those that need a running service, and those with a test of their own.
	elsewhere := map[string]bool{"demo": true, "serve": true, "health": true, "archive": true, "dkim": true, "ban": true, "thread": true}
	for _, path := range verbs(t) {
		if verb, _, _ := strings.Cut(path, " "); !r.ran[path] && !elsewhere[verb] {
			t.Errorf("plenary %s was not tried", path)
		}
	}
}

func groundVerbs(r *rig) {
	text := r.ok("config")
	for _, k := range config.Keys() {
		name := k.Name[strings.LastIndexByte(k.Name, '.')+1:]
		r.has(text, name+" = ", k.Doc)
	}
	path := r.file("plenary.toml", text)
	if c, err := config.Load(path, nil); err != nil || *c != *mustLoad(r.t) {
		r.t.Errorf("what config prints is not the defaults: %v", err)
	}
	r.has(r.ok("config", "--markdown"), "| `data_dir` |")
	r.has(r.ok("version"), "plenary ", "go1.")
	r.has(r.ok("help"), "subscriber add", "migrate up", "Usage: plenary")
	r.has(r.ok("help", "list"), "list create")
	r.has(r.ok("list", "create", "--help"), "--kind", "KEY=VALUE")
	r.has(r.ok("ban", "add", "--help"), "Usage: plenary ban add <pattern> [flags]", "say one of --list and --site")
	r.has(r.ok("migrate", "status"), "false")
	r.ok("migrate", "up")
	for _, step := range r.json("migrate", "status") {
		if step["applied"] != true || step["name"] == "" {
			r.t.Errorf("%v", step)
		}
	}
	r.ok("migrate", "up")
}

func mustLoad(t *testing.T) *config.Config {
	t.Helper()
	c, err := config.Load("", nil)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func listVerbs(r *rig) {
	if out := r.ok("list", "ls", "--json"); out != "" {
		r.t.Errorf("no lists: %q", out)
	}
	r.has(r.ok("list", "create", talk, "--set", "name=School = libraries, and more", "--set", "subject-tag=[talk]"), talk, "plenary subscriber add "+talk+" YOU@EXAMPLE --role owner --role subscriber\n")
	r.ok("list", "create", news, "--kind", "announcement")
	r.ok("list", "create", "Letter@Bücher.Example", "--kind=newsletter")
	r.has(r.ok("list", "ls"), "LIST", talk, "announcement", "letter@xn--bcher-kva.example")
	if all := r.json("list", "ls"); len(all) != 3 || all[0]["kind"] == "" {
		r.t.Errorf("%v", all)
	}
	r.has(r.ok("list", "show", talk), "School = libraries, and more", "[talk]", "emergency", "no")
	r.ok("list", "set", strings.ToUpper(talk), "hold_size=1M", "footer=", "closed=yes", "closed=no")
	settings := map[string]any{}
	for _, s := range r.json("list", "show", talk) {
		settings[s["key"].(string)] = s["value"]
	}
	if settings["hold-size"] != "1M" || settings["closed"] != "no" {
		r.t.Errorf("%v", settings)
	}
	r.has(r.ok("list", "create", "läsning@bücher.example"), "xn--lsning-bua@xn--bcher-kva.example")
	r.ok("list", "show", "xn--lsning-bua@xn--bcher-kva.example")
	r.fails(1, "is an address of the list", "list", "create", "letter-join@bücher.example")
	r.ok("list", "show", "letter@bücher.example")
}

func peopleVerbs(r *rig) {
	r.ok("subscriber", "add", talk, "ann@example.org", "Ann Lee")
	r.has(r.ok("subscriber", "add", talk, "ANN@example.org"), "already")
	r.ok("subscriber", "add", talk, "bo@example.net", "--role", "owner", "--role", "subscriber", "--set", "delivery=off")
	r.ok("subscriber", "add", talk, "cy@example.com", "--role", "moderator")
	r.ok("subscriber", "set", talk, "ann@example.org", "name=Ann Lee Bo", "moderation=hold")
	r.has(r.ok("subscriber", "ls", talk), "Ann Lee Bo", "subscriber,owner", "off", "moderator")
	csv := r.file("people.csv", "\ufeffemail,name\n\"dee@example.org\",\"Dee, Jo\"\nann@example.org\nnobody\neva@example.org,\x1b[31mEva\n")
	out, errs, code := r.run("", "subscriber", "import", talk, csv)
	if code != exitFailure || !strings.Contains(out, "added 2, already there 1, refused 1") || !strings.Contains(errs, "line 4: nobody") {
		r.t.Errorf("import: exit %d\n%s%s", code, out, errs)
	}
	if out, _, code = r.run("fay@example.org,Fay\n", "subscriber", "import", talk, "-"); code != exitOK || !strings.Contains(out, "added 1,") {
		r.t.Errorf("import from standard input: exit %d\n%s", code, out)
	}
	r.ran["subscriber import"] = true
	r.ok("subscriber", "rm", talk, "fay@example.org")
	people := map[any]map[string]any{}
	for _, p := range r.json("subscriber", "ls", talk) {
		people[p["email"]] = p
	}
	if len(people) != 5 || people["dee@example.org"]["name"] != "Dee, Jo" || people["bo@example.net"]["delivery"] != "off-by-moderator" ||
		people["cy@example.com"]["roles"] != "moderator" || people["ann@example.org"]["since"] == "" {
		r.t.Errorf("%v", people)
	}
}

func heldVerbs(r *rig) {
	stranger := func(subject, id string) {
		r.receive("gus@example.net", talk, "From: Gus <gus@example.net>", "To: "+talk, "Subject: "+subject, "Message-ID: <"+id+"@example.net>", "",
			"Body of "+id+" with \x1b]0;title\x07 and \u009b31m in it.")
	}
	stranger("=?utf-8?q?one_=1B[31mred=1B]0;owned=07_=C2=9B1m?=", "h1")
	stranger("two", "h2")
	stranger("three", "h3")
	all := r.json("held", "ls", talk)
	if len(all) != 3 || all[0]["author"] == "" || all[0]["list"] != talk || len(all[0]["reasons"].([]any)) == 0 {
		r.t.Fatalf("%v", all)
	}
	r.has(r.ok("held", "ls"), "two", "gus@example.net", "WHY")
	first := r.json("held", "ls")[0]["id"].(float64)
	id := regexp.MustCompile(`\d+`).FindString(strings.TrimSpace(r.ok("held", "ls")[len("ID"):]))
	if first != 1 || id != "1" {
		r.t.Errorf("%v %s", first, id)
	}
	r.has(r.ok("held", "show", id), "pending, held ", "- ", "Message-ID: <h1@example.net>", "Body of h1")
	if raw := r.ok("held", "show", id, "--raw"); !strings.Contains(raw, "\x1b]0;title\x07") || !strings.Contains(raw, "\r\n") {
		r.t.Errorf("--raw is not raw: %q", raw)
	}
	r.ok("held", "approve", id)
	r.ok("held", "reject", r.held("two"), "--reason", "Please write from your subscribed address")
	r.ok("held", "discard", r.held("three"))
	r.fails(exitFailure, "already", "held", "approve", id)
	if left := r.json("held", "ls"); len(left) != 0 {
		r.t.Errorf("%v", left)
	}
	r.has(r.ok("trace", "<h1@example.net>"), talk, "by the postmaster", "recipients")
	if n := len(r.json("trace", "gus@example.net")); n == 0 {
		r.t.Error("nothing is known of the author")
	}
	r.has(r.ok("trace", "h2@example.net"), "Please write from your subscribed address")
}

func accessVerbs(r *rig) {
	secret := strings.TrimSpace(r.ok("access", "ann@example.org", "--label", "phone"))
	a := r.app()
	if who, err := a.Auth.Authenticate(r.t.Context(), "ann@example.org", secret); err != nil || who.Email != "ann@example.org" {
		r.t.Errorf("%q does not work: %v", secret, err)
	}
	r.ran["access new"] = true
	r.ok("access", "ann@example.org", "--label", "never used")
	r.has(r.ok("access", "ls", "ann@example.org"), "ID", "phone", "never used", "never\n")
	ids := map[string]string{}
	for _, row := range r.json("access", "ls", "ann@example.org") {
		ids[row["label"].(string)] = fmt.Sprint(row["id"])
		if used := row["used"] != ""; used != (row["label"] == "phone") || row["made"] == "" || len(row) != 4 {
			r.t.Errorf("%v", row)
		}
	}
	r.ok("access", "rm", "ann@example.org", ids["never used"])
	r.fails(exitFailure, "has no app password "+ids["never used"]+" that works", "access", "rm", "ann@example.org", ids["never used"])
	r.fails(exitFailure, "has no app password", "access", "rm", "bo@example.net", ids["phone"])
	r.fails(exitUsage, "or --all", "access", "rm", "ann@example.org")
	r.fails(exitUsage, "or --all", "access", "rm", "ann@example.org", ids["phone"], "--all")
	r.has(r.ok("access", "rm", "ann@example.org", "--all"), "1 app password revoked")
	r.has(r.ok("access", "rm", "ann@example.org", "--all"), "0 app passwords revoked; ann@example.org has none now")
	if _, err := r.app().Auth.Authenticate(r.t.Context(), "ann@example.org", secret); err == nil {
		r.t.Error("a revoked password works")
	}
}

func archiveVerbs(r *rig) {
	mbox := r.file("talk.mbox", string(sample.Talk()))
	first := r.json("import", "mbox", news, mbox)[0]
	if first["added"] != first["messages"] || first["added"].(float64) < 100 {
		r.t.Fatalf("%v", first)
	}
	r.has(r.ok("import", "mbox", news, mbox), " 0 new, ", "read")
	nodate := r.file("nodate.eml", "Subject: no date at all\n\nnothing.\n")
	r.has(r.ok("import", "eml", news, nodate), "1 new")
	one := r.ok("export", "mbox", news)
	r.ok("list", "create", "copy@lists.example.org")
	again := r.file("again.mbox", one)
	r.ok("import", "mbox", "copy@lists.example.org", again)
	if two := r.ok("export", "mbox", "copy@lists.example.org"); two != one {
		r.t.Errorf("export, import, export: %d octets became %d", len(one), len(two))
	}
	same(r)
	r.has(r.ok("search", news, "library"), "UID", "AUTHOR", "FOUND")
	hits := r.json("search", news, "s:re", "--limit", "3")
	if len(hits) != 3 || hits[0]["subject"] == "" || hits[0]["uid"].(float64) == 0 {
		r.t.Errorf("%v", hits)
	}
	eml := r.file("letter.eml", "From: gus@example.net\nTo: "+talk+"\nSubject: \x1b[2Jhello\n\nhello\n")
	r.has(r.ok("explain", talk, eml), "verdict: hold", "because", "RULE", "subscribers")
	x := r.json("explain", talk, eml, "--from", "gus@example.net")[0]
	if x["verdict"] != "hold" || len(x["trace"].([]any)) < 5 {
		r.t.Errorf("%v", x)
	}
}

// same compares the two archives byte for byte.
func same(r *rig) {
	a := r.app()
	var bytesOf [2][][]byte
	for i, local := range []string{"news", "copy"} {
		l, err := a.Store.FindList(r.t.Context(), local, "lists.example.org")
		if err != nil {
			r.t.Fatal(err)
		}
		err = a.Reader.AllBytes(r.t.Context(), l.ID, 1, 1<<31, func(_ model.UID, data []byte) error {
			bytesOf[i] = append(bytesOf[i], bytes.Clone(data))
			return nil
		})
		if err != nil {
			r.t.Fatal(err)
		}
	}
	if len(bytesOf[0]) != len(bytesOf[1]) || len(bytesOf[0]) < 100 {
		r.t.Fatalf("%d and %d messages", len(bytesOf[0]), len(bytesOf[1]))
	}
	for i := range bytesOf[0] {
		if !bytes.Equal(bytesOf[0][i], bytesOf[1][i]) {
			r.t.Errorf("message %d came back as\n%q\nand was\n%q", i, bytesOf[1][i], bytesOf[0][i])
		}
	}
}

func queueVerbs(r *rig) {
	st := r.json("queue", "status")[0]
	entries := st["entries"].([]any)
	if st["active"].(float64) == 0 || len(entries) == 0 || st["paused"] != "" {
		r.t.Fatalf("%v", st)
	}
	var post string
	for _, e := range entries {
		if row := e.(map[string]any); row["for"] == talk && row["lane"] == "post" {
			post = regexp.MustCompile(`\d+`).FindString(jsonNumber(row["id"]))
		}
	}
	r.has(r.ok("queue", "pause", "--distribution", post), "sending of distribution "+post+" is paused", "plenary queue resume --distribution "+post)
	for _, scope := range []string{"--distribution " + post, "--list " + talk, ""} {
		r.has(r.ok(strings.Fields("queue retry "+scope)...), "copies will be tried now", "distribution "+post+" is paused and is not tried; plenary queue resume --distribution "+post)
	}
	r.has(r.ok("queue", "pause", "--list", talk), "sending for "+talk+" is paused", "plenary queue resume --list "+talk)
	r.has(r.ok("queue", "pause"), "sending is paused", "plenary queue resume goes on")
	r.has(r.ok("queue", "retry", "--list", talk), "copies will be tried now", "but everything is paused: they wait for plenary queue resume",
		"but the list is paused: they wait for plenary queue resume --list "+talk)
	r.has(r.ok("queue", "status"), "PAUSED by the postmaster", "PAUSED for "+talk, "LANE", "post", "notice", "paused 1")
	if st := r.json("queue", "status")[0]; st["paused"] != "cli" || st["paused_lists"].([]any)[0] != talk || st["held"].(float64) != 1 {
		r.t.Errorf("%v", st)
	}
	r.ok("queue", "pause", "--destination", "EXAMPLE.net")
	r.has(r.ok("queue", "status"), "PAUSED to example.net")
	if st := r.json("queue", "status")[0]; st["paused_to"].([]any)[0] != "example.net" {
		r.t.Error(st)
	}
	r.has(r.ok("queue", "status", "--wait"), "PAUSED by the postmaster") // what a person has paused is not waited for
	r.has(r.ok("queue", "resume", "--destination", "Example.net"), "sending to Example.net goes on")
	r.has(r.ok("queue", "resume"), "sending goes on")
	r.has(r.ok("queue", "resume"), "sending was not paused")
	r.has(r.ok("queue", "resume", "--list", talk), "sending for "+talk+" goes on")
	r.has(r.ok("queue", "resume", "--distribution", post), "sending of distribution "+post+" goes on")
	r.has(r.ok("queue", "resume", "--distribution", post), "sending of distribution "+post+" was not paused")
	for _, verb := range []string{"pause --distribution", "resume --distribution", "retry --distribution", "cancel"} {
		r.fails(exitFailure, "there is no distribution 4711; plenary queue status", strings.Fields("queue "+verb+" 4711")...)
	}
	r.has(r.ok("queue", "retry"), "0 copies")
	r.has(r.ok("queue", "cancel", post), "distribution "+post+" is cancelled: 0 of ")
	r.fails(exitFailure, "distribution "+post+" is not being sent", "queue", "cancel", post)
	r.has(r.ok("queue", "limits"), "[[limit]]", "google")
	r.has(r.ok("queue", "retry", "--domain", "example.org"), "0 copies")
	if text := r.ok("queue", "status"); strings.Contains(text, "PAUSED") || !strings.Contains(text, "paused 0") {
		r.t.Error(text)
	}
}

func jsonNumber(v any) string { return strings.TrimSuffix(strings.TrimSpace(oneLine(v)), ".0") }

func endVerbs(r *rig) {
	r.ok("queue", "pause", "--list", talk) // a note that outlives the list
	r.fails(exitUsage, "--yes", "list", "rm", talk)
	r.ok("list", "rm", talk, "--yes")
	r.fails(exitFailure, "no list "+talk, "list", "show", talk)
	r.ok("queue", "status")
	if all := r.json("list", "ls"); len(all) != 4 {
		r.t.Errorf("%v", all)
	}
	if left, _ := filepath.Glob(filepath.Join(r.dir, "*")); len(left) > 3 { // the database, -wal and -shm
		r.t.Errorf("verbs leave %v", left)
	}
	if _, err := os.Stat(filepath.Join(r.dir, "plenary.db")); err != nil {
		r.t.Error(err)
	}
}
