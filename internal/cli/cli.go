// Package cli is the command line: the verbs of `plenary`, one file each
// (cmd_x.go), in one table (table.go).
//
// A verb opens the program without its doors, calls a service and prints; it
// decides nothing itself. Verbs that change something work beside a running
// `plenary serve` and without one, because the database is the only meeting
// point. Listings take --json. An error is one line on standard error that says
// what to do; the exit code is 2 for a wrong call and 1 for a failure.
package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"reflect"
	"strings"
	"syscall"
	"text/tabwriter"
	"unicode"

	"github.com/alecthomas/kong"

	"plenary/internal/app"
	"plenary/internal/config"
	"plenary/internal/fault"
)

// The exit codes.
const (
	exitOK      = 0
	exitFailure = 1
	exitUsage   = 2
)

// env is what a verb works with.
type env struct {
	ctx     context.Context
	in      io.Reader
	out     *bufio.Writer
	err     io.Writer
	environ []string
	file    string // --config
	opened  *app.App
}

// Main runs one command line and gives the exit code.
func Main(args, environ []string) int {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-signals
		signal.Stop(signals) // before anybody sees that we stop: a second Ctrl-C ends the program at once
		stop()
	}()
	e := &env{ctx: ctx, in: os.Stdin, out: bufio.NewWriter(os.Stdout), err: os.Stderr, environ: environ}
	return e.run(args)
}

func (e *env) run(args []string) int {
	var root table
	exited := -1
	parser, err := kong.New(&root, kong.Name("plenary"), kong.Description("Professional discussion lists and newsletters in one program."),
		kong.Writers(e.out, e.err), kong.Exit(func(code int) { exited = code }), kong.UsageOnError(), kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
		kong.Vars{"config": lookup(e.environ, "PLENARY_CONFIG")})
	if err != nil {
		return e.fail(err, exitFailure)
	}
	if len(args) == 0 || args[0] == "help" {
		args = append(append([]string{}, args[min(1, len(args)):]...), "--help")
	}
	call, err := parser.Parse(queryArgs(args))
	if exited >= 0 { // --help was printed
		_ = e.out.Flush()
		return exited
	}
	if err == nil {
		err = hollow(call)
	}
	if err != nil {
		return e.fail(fmt.Errorf("%w; plenary help lists the verbs", err), exitUsage)
	}
	e.file = root.Config
	err = call.Run(e)
	if e.opened != nil {
		if closed := e.opened.Close(); closed != nil {
			err = errors.Join(err, closed)
		}
	}
	var misused *callError
	switch flushed := e.out.Flush(); {
	case errors.As(err, &misused):
		return e.fail(err, exitUsage)
	case err != nil:
		return e.fail(err, exitFailure)
	case flushed != nil: // a full disk must not look like a whole export
		return e.fail(fmt.Errorf("cannot write the output: %w", flushed), exitFailure)
	}
	return exitOK
}

// hollow refuses a flag that narrows a command (its tag says so) and was given without
// a value: a script's empty variable must not mean everything.
func hollow(call *kong.Context) error {
	for _, p := range call.Path {
		if p.Flag == nil || !p.Flag.Tag.Has("narrow") {
			continue
		}
		switch v := p.Flag.Target; {
		case v.Kind() == reflect.String && strings.TrimSpace(v.String()) == "":
			return fmt.Errorf("--%s needs a value", p.Flag.Name)
		case v.Type() == reflect.TypeFor[int64]() && v.Int() < 1:
			return fmt.Errorf("--%s must be at least 1", p.Flag.Name)
		}
	}
	return nil
}

// fail prints one line. Someone at the command line is no stranger: the cause
// is shown too.
func (e *env) fail(err error, code int) int {
	_ = e.out.Flush()
	fmt.Fprintln(e.err, "plenary:", strings.Join(strings.Fields(oneLine(plain(err))), " "))
	return code
}

// plain is the text of an error with its cause, said once.
func plain(err error) string {
	f, ok := err.(*fault.Error) //nolint:errorlint // the outermost layer only
	if !ok || f.Cause == nil {
		return err.Error()
	}
	if cause := plain(f.Cause); !strings.Contains(f.Text, cause) {
		return f.Text + ": " + cause
	}
	return f.Text
}

func lookup(environ []string, name string) string {
	for _, v := range environ {
		if rest, ok := strings.CutPrefix(v, name+"="); ok {
			return rest
		}
	}
	return ""
}

// config reads the configuration.
func (e *env) config() (*config.Config, error) { return config.Load(e.file, e.environ) }

// app opens the program without its doors. The schema of a new database is
// made; one that is behind is not changed behind the postmaster's back.
func (e *env) app() (*app.App, error) {
	if e.opened != nil {
		return e.opened, nil
	}
	c, err := e.config()
	if err != nil {
		return nil, err
	}
	a, err := app.New(e.ctx, c, verbLogger(c.Log, e.err))
	if err != nil {
		return nil, err
	}
	e.opened = a
	return a, a.Ready(e.ctx)
}

// verbLogger is the log of a verb that ends: what a service tells about its
// ordinary work is not for the person who typed it.
func verbLogger(c config.Log, w io.Writer) *slog.Logger {
	if c.Level == "info" {
		c.Level = "warn"
	}
	return logger(c, w)
}

// logger writes structured lines to w.
func logger(c config.Log, w io.Writer) *slog.Logger {
	var level slog.Level
	_ = level.UnmarshalText([]byte(c.Level)) // checked by config
	opts := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(w, opts))
	}
	return slog.New(slog.NewTextHandler(w, opts))
}

// json prints one value as one line; what would drive a terminal is escaped.
func (e *env) json(v any) error {
	var text strings.Builder
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return err
	}
	for _, r := range text.String() {
		if drives(r) {
			fmt.Fprintf(e.out, "\\u%04x", r)
			continue
		}
		_, _ = e.out.WriteRune(r)
	}
	return nil
}

// rows prints a table with aligned columns, or one JSON line a row.
func rows[T any](e *env, asJSON bool, items []T, head string, line func(T) []any) error {
	if asJSON {
		for _, it := range items {
			if err := e.json(it); err != nil {
				return err
			}
		}
		return nil
	}
	w := tabwriter.NewWriter(e.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.ReplaceAll(head, " ", "\t"))
	for _, it := range items {
		cells := line(it)
		for i, c := range cells {
			if i > 0 {
				fmt.Fprint(w, "\t")
			}
			fmt.Fprint(w, oneLine(c))
		}
		fmt.Fprintln(w)
	}
	return w.Flush()
}

// oneLine keeps foreign text from breaking a listing or driving the terminal.
func oneLine(v any) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || drives(r) {
			return ' '
		}
		return r
	}, fmt.Sprint(v))
}

// drives tells a character that a terminal obeys instead of showing it: control
// characters, and those that turn the direction of a line or break it.
func drives(r rune) bool {
	return unicode.IsControl(r) && r != '\n' && r != '\t' || r == 0x2028 || r == 0x2029 ||
		r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069
}

// callError is an error of the call rather than of the work.
type callError struct{ text string }

// Error implements error.
func (e *callError) Error() string { return e.text }

func wrong(format string, args ...any) error { return &callError{fmt.Sprintf(format, args...)} }

// unready opens the program without asking whether its schema is current.
func (e *env) unready() (*app.App, error) {
	c, err := e.config()
	if err != nil {
		return nil, err
	}
	e.opened, err = app.New(e.ctx, c, verbLogger(c.Log, e.err))
	return e.opened, err
}
