package cli

import (
	"bufio"
	"bytes"
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"plenary/internal/config"
	"plenary/internal/testkit"
)

// TestWrongCalls: who calls it wrongly gets 2, one line, and nothing happens.
func TestWrongCalls(t *testing.T) {
	r := newRig(t)
	for _, c := range []struct{ want, line string }{
		{"unexpected argument frobnicate; plenary help lists the verbs", "frobnicate"},
		{"help lists the verbs", "help frobnicate"},
		{"expected one of", "list"},
		{"<address>", "list create"},
		{"--colour", "list ls --colour"},
		{"--kind", "list create a@lists.example.org --kind pamphlet"},
		{"KEY=VALUE", "list create a@lists.example.org --set closed"},
		{"<id>", "held show"},
		{"int", "held approve seven"},
		{"mbox", "export pdf a@lists.example.org"},
		{"mbox, mboxrd, maildir, eml", "import pdf a@lists.example.org x"},
		{"together", "queue pause --list a@lists.example.org --distribution 3"},
		{"no domain", "queue retry --domain -"},
		{"--distribution must be at least 1", "queue pause --distribution 0"},
		{"--distribution must be at least 1", "queue resume --distribution=-3"},
		{"--list needs a value", "queue resume --list="},
		{"--destination needs a value", "queue retry --destination="},
		{"--list needs a value", "ban add x@example.net --list="},
		{"--days must be at least 1", "ban add x@example.net --site --days 0"},
		{"--as needs a value", "search all word --as="},
		{"one of new, ls, rm", "access"},
		{"one of new, ls, rm", "access new"},
		{"--revoke", "access ann@example.org --revoke"},
		{"say one of --list=ADDRESS and --site", "ban add x@example.net"},
		{"say one of --list=ADDRESS and --site", "ban rm x@example.net"},
		{"can't be used together", "ban rm x@example.net --site --list talk@lists.example.org"},
		{"expected", "search talk@lists.example.org"},
		{"expected", "explain talk@lists.example.org"},
		{"unexpected", "version now"},
	} {
		r.fails(exitUsage, c.want, strings.Fields(c.line)...)
	}
	out, errs, code := r.run("", "help")
	if code != exitOK || errs != "" || !strings.Contains(out, "Usage: plenary") {
		t.Errorf("help: %d\n%s%s", code, out, errs)
	}
}

// TestFailures: what cannot be done gets 1 and a line that says what to do.
func TestFailures(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", talk)
	r.ok("subscriber", "add", talk, "ann@example.org")
	cut := r.file("cut.mbox", "From a@example.org Mon Jan  5 10:00:00 2026\nFrom: a@example.org\n\nbroken off")
	for _, c := range []struct {
		want string
		args []string
	}{
		{"there is no list none@lists.example.org; plenary list ls shows all", []string{"list", "show", "none@lists.example.org"}},
		{"named by its posting address", []string{"list", "show", "talk"}},
		{"there is a list " + talk + " already", []string{"list", "create", "Talk@Lists.Example.ORG"}},
		{"own address", []string{"list", "create", "listserv@lists.example.org"}},
		{"may hold letters, digits", []string{"list", "create", "a+b@lists.example.org"}},
		{"@ sign is missing", []string{"list", "create", "talk"}},
		{"not allowed", []string{"list", "create", "a\x1b]0;x\x07@lists.example.org"}},
		{"no setting \"colour\"", []string{"list", "set", talk, "colour=red"}},
		{"hold-size cannot be", []string{"list", "set", talk, "hold-size=enormous"}},
		{"archive-access cannot be", []string{"list", "create", "b@lists.example.org", "--set", "archive-access=all"}},
		{"no list", []string{"list", "rm", "none@lists.example.org", "--yes"}},
		{"no list", []string{"subscriber", "ls", "none@lists.example.org"}},
		{"not a usable e-mail address", []string{"subscriber", "add", talk, "ann"}},
		{"not on " + talk, []string{"subscriber", "rm", talk, "bo@example.org"}},
		{"not on " + talk, []string{"subscriber", "set", talk, "bo@example.org", "delivery=off"}},
		{"no option", []string{"subscriber", "set", talk, "ann@example.org", "colour=red"}},
		{"say one of: on, off", []string{"subscriber", "set", talk, "ann@example.org", "delivery=sometimes"}},
		{"no such file", []string{"subscriber", "import", talk, "/nonexistent/people.csv"}},
		{"no held post 7", []string{"held", "show", "7"}},
		{"no held post 7", []string{"held", "approve", "7"}},
		{"no held post 7", []string{"held", "discard", "7"}},
		{"no list", []string{"held", "ls", "none@lists.example.org"}},
		{"not a usable e-mail address", []string{"access", "ann"}},
		{"no such file", []string{"import", "mbox", talk, "/nonexistent/archive.mbox"}},
		{"no list", []string{"import", "mbox", "none@lists.example.org", cut}},
		{"no list", []string{"export", "mbox", "none@lists.example.org"}},
		{"no list", []string{"search", "none@lists.example.org", "x"}},
		{"no such file", []string{"explain", talk, "/nonexistent/letter.eml"}},
		{"there is no distribution 7", []string{"queue", "pause", "--distribution", "7"}},
		{"no list", []string{"queue", "pause", "--list", "none@lists.example.org"}},
		{"nothing is known of nobody@example.org", []string{"trace", "nobody@example.org"}},
		{"nothing is known of <a b>", []string{"trace", "<a\x1bb>"}},
		{"plenary serve does not answer at 127.0.0.1:1", []string{"health"}},
	} {
		if c.args[0] == "health" {
			r.environ = append(r.environ, "PLENARY_HTTP_LISTEN=127.0.0.1:1")
		}
		r.fails(exitFailure, c.want, c.args...)
	}
}

// TestNothingIsHalfDone: a call that fails leaves everything as it was.
func TestNothingIsHalfDone(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", talk)
	r.ok("subscriber", "add", talk, "ann@example.org", "Ann")
	before := r.ok("list", "show", talk) + r.ok("list", "ls") + r.ok("subscriber", "ls", talk)
	r.fails(exitFailure, "hold-size", "list", "set", talk, "closed=yes", "subject-tag=[x]", "hold-size=many")
	r.fails(exitFailure, "colour", "list", "set", talk, "closed=yes", "colour=red")
	r.fails(exitUsage, "KEY=VALUE", "list", "set", talk, "closed=yes", "emergency")
	r.fails(exitFailure, "colour", "list", "create", "b@lists.example.org", "--set", "closed=yes", "--set", "colour=red")
	r.fails(exitUsage, "no role", "subscriber", "add", talk, "bo@example.org", "--role", "subscriber", "--role", "king")
	r.fails(exitFailure, "colour", "subscriber", "add", talk, "bo@example.org", "--set", "colour=red")
	r.fails(exitFailure, "delivery", "subscriber", "set", talk, "ann@example.org", "name=Bo", "delivery=maybe")
	r.fails(exitFailure, "no such file", "import", "eml", talk, r.file("a.eml", "Subject: a\n\na\n"), "/nonexistent.eml")
	if after := r.ok("list", "show", talk) + r.ok("list", "ls") + r.ok("subscriber", "ls", talk); after != before {
		t.Errorf("before\n%s\nafter\n%s", before, after)
	}
	if n := len(r.json("search", talk, "a")); n != 0 {
		t.Errorf("%d posts came in with an import that failed", n)
	}
}

// TestConfigurationIsWrong: no verb begins on a configuration that is misread.
func TestConfigurationIsWrong(t *testing.T) {
	r := newRig(t)
	nowhere := filepath.Join(r.file("file", ""), "data")
	for _, c := range []struct {
		want string
		set  string
		args []string
	}{
		{"PLENARY_SMTP_LISTNE", "PLENARY_SMTP_LISTNE=:25", nil},
		{"smtp.listne", "", []string{"--config", r.file("a.toml", "[smtp]\nlistne = ':25'\n")}},
		{"cannot read the configuration file", "", []string{"--config", "/nonexistent.toml"}},
		{"/nonexistent.toml", "PLENARY_CONFIG=/nonexistent.toml", nil},
		{"cannot open the database (database.dsn, data_dir): mkdir", "PLENARY_DATA_DIR=" + nowhere, nil},
		{"must begin with sqlite: or postgres://", "PLENARY_DATABASE_DSN=mysql://x", nil},
		{"cannot open the database (database.dsn, data_dir)", "PLENARY_DATABASE_DSN=sqlite:" + r.dir, nil},
		{"cannot open the database (database.dsn, data_dir)", "PLENARY_DATABASE_DSN=postgres://plenary@127.0.0.1:1/none?connect_timeout=2", nil},
		{"cannot open the database", "PLENARY_DATABASE_DSN=sqlite:" + r.file("no.db", strings.Repeat("this is no database\n", 100)), nil},
	} {
		sub := *r
		if c.set != "" {
			sub.environ = append(append([]string{}, r.environ...), c.set)
		}
		sub.fails(exitFailure, c.want, append(c.args, "list", "ls")...)
	}
}

// TestNoCertificate: verbs work without it, and no door opens.
func TestNoCertificate(t *testing.T) {
	r := newRig(t)
	r.environ = append(r.environ, "PLENARY_TLS_CERT_FILE=/nonexistent/cert.pem", "PLENARY_TLS_KEY_FILE=/nonexistent/key.pem")
	r.ok("list", "create", talk)
	r.ok("held", "ls")
	r.ok("queue", "status")
	r.fails(exitFailure, "cannot read the certificate (tls.cert_file, tls.key_file)", "serve")
}

// TestOldSchema: a verb does not migrate behind the postmaster's back.
func TestOldSchema(t *testing.T) {
	r := newRig(t)
	a := r.app()
	steps, err := a.Store.MigrationStatus(t.Context())
	if err != nil || len(steps) < 2 {
		t.Skip("there is one schema only")
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	forget(t, filepath.Join(r.dir, "plenary.db"), steps[len(steps)-1].Version)
	r.fails(exitFailure, "older schema; run plenary migrate up", "list", "ls")
	r.fails(exitFailure, "older schema; run plenary migrate up", "list", "create", talk)
	rows := r.json("migrate", "status")
	if rows[len(rows)-1]["applied"] != false || rows[0]["applied"] != true {
		t.Errorf("%v", rows)
	}
}

// TestOutputThatCannotBeWritten: an export to a full disk is no export.
func TestOutputThatCannotBeWritten(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Skip("skipped: there is no /dev/full here")
	}
	defer full.Close()
	r := newRig(t)
	r.ok("list", "create", talk)
	for _, args := range [][]string{{"list", "ls"}, {"config"}, {"list", "show", talk, "--json"}} {
		var errs bytes.Buffer
		e := &env{ctx: t.Context(), in: strings.NewReader(""), out: bufio.NewWriter(full), err: &errs, environ: r.environ}
		if code := e.run(args); code != exitFailure || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%v: exit %d, %s", args, code, errs.String())
		}
	}
}

// TestVerbsOfTheBinary: the exit codes and streams as a shell sees them.
func TestVerbsOfTheBinary(t *testing.T) {
	dir := t.TempDir()
	if out := testkit.Run(t, testkit.Env(dir), nil, "list", "create", talk); !strings.Contains(out, talk) {
		t.Error(out)
	}
	if out := testkit.Run(t, testkit.Env(dir), strings.NewReader("ann@example.org\n"), "subscriber", "import", talk, "-"); !strings.Contains(out, "added 1") {
		t.Error(out)
	}
}

func TestDemoConfig(t *testing.T) {
	dir := t.TempDir()
	e := &env{environ: []string{"PLENARY_HTTP_LISTEN=127.0.0.1:0", "PLENARY_LMTP_LISTEN=unix:" + dir + "/lmtp", "PLENARY_SMTP_LISTEN=127.0.0.1:0"}}
	c, err := (&demoCmd{Dir: dir}).config(e)
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP.BaseURL != "http://"+c.HTTP.Listen || strings.HasSuffix(c.HTTP.Listen, ":0") || c.LMTP.Listen != "unix:"+dir+"/lmtp" || c.Outbound.Mode != "catch" {
		t.Errorf("%+v", c)
	}
	e.environ = append(e.environ, "PLENARY_HTTP_BASE_URL=https://demo.example.org")
	if c, err = (&demoCmd{Dir: dir}).config(e); err != nil || c.HTTP.BaseURL != "https://demo.example.org" {
		t.Errorf("%v %+v", err, c)
	}
	if reflect.DeepEqual(c, config.Default()) {
		t.Error("the demo has no configuration of its own")
	}
}

// TestDemoFlagWinsOverTheEnvironment: and the demo's database over the environment and
// a configuration file that describe the real service.
func TestDemoFlagWinsOverTheEnvironment(t *testing.T) {
	flag, variable, real := t.TempDir(), t.TempDir(), newRig(t).file("plenary.toml", "[database]\ndsn = 'postgres://db.example.org/real'\n[outbound]\nmode = 'relay'\nrelay = 'smtp.example.org:25'\n")
	for _, c := range []struct {
		dir     string
		environ []string
		at, dsn string
	}{
		{flag, []string{"PLENARY_DATA_DIR=" + variable, "PLENARY_DATABASE_DSN=postgres://db.example.org/real", "PLENARY_OUTBOUND_MODE=relay"}, flag, "sqlite:" + flag + "/plenary.db"},
		{"", []string{"PLENARY_DATA_DIR=" + variable}, variable, "sqlite:" + variable + "/plenary.db"},
		{"", []string{"PLENARY_DATA_DIR=" + variable, "PLENARY_DATABASE_DSN=postgres://127.0.0.1/demo"}, variable, "sqlite:" + variable + "/plenary.db"},
	} {
		got, err := (&demoCmd{Dir: c.dir}).config(&env{environ: c.environ, file: real})
		if err != nil {
			t.Fatal(err)
		}
		if got.DataDir != c.at || got.Database.DSN != c.dsn || got.Outbound.Mode != "catch" {
			t.Errorf("--dir %q with %v: %s, %s, %s", c.dir, c.environ, got.DataDir, got.Database.DSN, got.Outbound.Mode)
		}
	}
}

// TestDemoRefusesARealService: neither its folder in the environment nor --dir lets the
// demo add its people there and catch its mail; also an older schema is left alone.
func TestDemoRefusesARealService(t *testing.T) {
	r := newRig(t)
	r.ok("list", "create", talk)
	r.ok("subscriber", "add", talk, "ann@example.org")
	steps := r.json("migrate", "status")
	forget(t, filepath.Join(r.dir, "plenary.db"), int64(steps[len(steps)-1]["version"].(float64)))
	before := r.ok("migrate", "status")
	for _, args := range [][]string{{"demo"}, {"demo", "--dir", r.dir, "--json"}} {
		ctx, stop := context.WithTimeout(t.Context(), testkit.Patience)
		var out, errs bytes.Buffer
		e := &env{ctx: ctx, in: strings.NewReader(""), out: bufio.NewWriter(&out), err: &errs, environ: r.environ}
		if code := e.run(args); code != exitFailure || out.Len() > 0 || !strings.Contains(errs.String(), "the demo did not make the database in "+r.dir) {
			t.Errorf("%v: exit %d\n%s%s", args, code, &out, &errs)
		}
		stop()
	}
	if after := r.ok("migrate", "status"); after != before {
		t.Errorf("the schema was\n%sand is\n%s", before, after)
	}
}

// forget takes the last step out of the database's own list.
func forget(t *testing.T, path string, version int64) {
	t.Helper()
	db, err := sql.Open("sqlite", "file:"+path) // registered by the store
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	res, err := db.ExecContext(t.Context(), "DELETE FROM schema_migrations WHERE version_id = ?", version)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		t.Fatalf("%d rows, %v", n, err)
	}
}
