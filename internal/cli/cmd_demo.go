package cli

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"plenary/internal/app"
	"plenary/internal/config"
)

type demoCmd struct {
	Dir  string `placeholder:"DIR" help:"Folder of its data (PLENARY_DATA_DIR, or plenary-demo); starting again goes on with it."`
	JSON bool   `help:"One JSON line of addresses instead of the banner, for scripts."`
}

// demoPorts are the doors' usual ports, used unless taken or configured.
var demoPorts = []struct{ key, port string }{ //nolint:gochecknoglobals // a constant table
	{"SMTP_LISTEN", "2525"}, {"LMTP_LISTEN", "2424"}, {"IMAP_LISTEN", "1143"}, {"HTTP_LISTEN", "8080"},
}

// demoLine is what --json prints.
type demoLine struct {
	SMTP     string `json:"smtp"`
	LMTP     string `json:"lmtp"`
	IMAP     string `json:"imap"`
	HTTP     string `json:"http"`
	List     string `json:"list"`
	User     string `json:"user"`
	Password string `json:"password"`
}

// Run starts the whole program on loopback, makes the lists and people of the
// demo when the folder is new, and serves until it is stopped.
func (c *demoCmd) Run(e *env) error {
	cfg, err := c.config(e)
	if err != nil {
		return err
	}
	a, err := app.New(e.ctx, cfg, logger(cfg.Log, e.err))
	if err != nil {
		return err
	}
	e.opened = a
	if err := a.ReadyForDemo(e.ctx); err != nil {
		return err
	}
	at, err := a.Listen() // before anything changes: another demo may run in this folder
	if err != nil {
		return err
	}
	world, err := a.Demo(e.ctx)
	if err != nil {
		return err
	}
	line := demoLine{at.SMTP, at.LMTP, at.IMAP, at.HTTP, world.List, world.User, world.Password}
	if c.JSON {
		err = e.json(line)
	} else {
		_, err = e.out.WriteString(banner(line, world, cfg.DataDir))
	}
	if err = errors.Join(err, e.out.Flush()); err != nil {
		return err
	}
	if err := a.Run(e.ctx); err != nil {
		return err
	}
	if !c.JSON {
		fmt.Fprintf(e.out, "\nStopped. The data stays in %s; start again to go on with it.\n", cfg.DataDir)
	}
	return nil
}

// config is the demo's: loopback, the catcher, and an SQLite file in a folder. The
// environment and a configuration file may be there for the real service: neither
// their database nor their way out is used, and nothing leaves this machine. The
// folder they name may be the real service's too; see app.ReadyForDemo.
func (c *demoCmd) config(e *env) (*config.Config, error) {
	dir := c.Dir
	for _, other := range []string{lookup(e.environ, "PLENARY_DATA_DIR"), "plenary-demo"} {
		if dir == "" {
			dir = other
		}
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("cannot make the folder of the demo's data (--dir): %w", err)
	}
	environ := append([]string{"PLENARY_HOSTNAME=localhost", "PLENARY_LOG_LEVEL=warn"}, e.environ...)
	environ = append(environ, "PLENARY_DATA_DIR="+dir, "PLENARY_DATABASE_DSN=sqlite:"+filepath.Join(dir, "plenary.db"), "PLENARY_OUTBOUND_MODE=catch")
	for _, d := range demoPorts {
		addr := lookup(e.environ, "PLENARY_"+d.key)
		if addr == "" {
			addr = usualAddr(d.port)
			environ = append(environ, "PLENARY_"+d.key+"="+addr)
		}
		if host, port, err := net.SplitHostPort(addr); err == nil && port == "0" && d.key == "HTTP_LISTEN" {
			if addr, err = freeAddr(host); err != nil { // the base URL needs a real port
				return nil, err
			}
			environ = append(environ, "PLENARY_"+d.key+"="+addr)
		}
		if d.key == "HTTP_LISTEN" && lookup(e.environ, "PLENARY_HTTP_BASE_URL") == "" {
			environ = append(environ, "PLENARY_HTTP_BASE_URL=http://"+addr)
		}
	}
	return config.Load(e.file, environ)
}

// usualAddr is the usual port, or any when it is taken.
func usualAddr(port string) string {
	l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", port))
	if err != nil {
		return "127.0.0.1:0"
	}
	addr := l.Addr().String()
	_ = l.Close()
	return addr
}

// freeAddr gives a port where nobody listens. It lies below those the system hands
// out by itself, so that nobody gets it before the door opens.
func freeAddr(host string) (string, error) {
	err := errors.New("no port is free")
	for range 100 {
		addr := net.JoinHostPort(host, strconv.Itoa(10_000+rand.IntN(20_000))) //nolint:gosec // any will do
		var l net.Listener
		if l, err = net.Listen("tcp", addr); err == nil {
			return addr, l.Close()
		}
	}
	return "", fmt.Errorf("no free port on %s: %w", host, err)
}

// banner says what there is and what to try; its commands can be pasted.
func banner(d demoLine, w *app.DemoWorld, dir string) string {
	from, to := d.User, d.List
	local, domain, _ := strings.Cut(to, "@")
	var b strings.Builder
	p := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	p("Plenary is running; nothing leaves this machine. Data: %s", dir)
	p("")
	p("  lists       %s (discussion, %d posts in the archive)", to, w.Posts)
	p("              %s (announcements)", w.News)
	p("  people      %s owns them, %s moderates, %s posts freely", w.Owner, w.Moderator, from)
	p("  doors       SMTP %s   LMTP %s   IMAP %s   HTTP %s", d.SMTP, d.LMTP, d.IMAP, d.HTTP)
	p("")
	p("Post to the list:")
	p(`  printf 'From: %s\r\nTo: %s\r\nSubject: Hello\r\n\r\nIs anybody lending board games?\r\n' | curl -sS smtp://%s --mail-from %s --mail-rcpt %s --upload-file -`, from, to, d.SMTP, from, to)
	p("")
	p("Read what each person got, in a browser:")
	p("  http://%s/catch", d.HTTP)
	p("")
	p("Read the archive by IMAP (or set up any mail program with this server, user and password):")
	p("  curl -sS 'imap://%s/Lists%%2F%s/;UID=1' --user '%s:%s'", d.IMAP, local, from, d.Password)
	p("  curl -sS 'imap://%s/Lists%%2F%s' --user '%s:%s' -X 'SEARCH TEXT library'", d.IMAP, local, from, d.Password)
	p("")
	p("Join: write to the list's join address, then answer the letter that comes (the browser page above shows it, with the command that answers it)")
	p(`  printf 'From: New Colleague <new@example.com>\r\nTo: %s-join@%s\r\nSubject: join\r\n\r\n' | curl -sS smtp://%s --mail-from new@example.com --mail-rcpt %s-join@%s --upload-file -`, local, domain, d.SMTP, local, domain)
	p("")
	p("Moderate: a stranger's post waits; answer the letter that %s got, or decide in another terminal", w.Moderator)
	p(`  printf 'From: Stranger <stranger@example.com>\r\nTo: %s\r\nSubject: Wait for me\r\n\r\nMay I ask something?\r\n' | curl -sS smtp://%s --mail-from stranger@example.com --mail-rcpt %s --upload-file -`, to, d.SMTP, to)
	p("  %s held ls", verb(dir))
	p("  %s held approve 1    # its number in held ls", verb(dir))
	p("")
	p("Ctrl-C stops it.")
	return b.String()
}

// verb is how a verb is typed that works on the demo's data: this program, wherever
// it is, on the demo's database, whatever a configuration file or the rest of the
// environment says.
func verb(dir string) string {
	program := os.Args[0]
	if strings.Contains(filepath.ToSlash(program), "/go-build") { // go run takes it away at its end
		program = "go run ./cmd/plenary"
	}
	return "PLENARY_DATABASE_DSN='sqlite:" + filepath.Join(dir, "plenary.db") + "' " + program
}
