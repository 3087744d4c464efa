package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/list/transfer"
)

type importCmd struct {
	Format string   `arg:"" help:"mbox, mboxrd, maildir or eml."`
	List   string   `arg:"" help:"The list's address."`
	Path   []string `arg:"" help:"Files or folders, in order." type:"path"`
	JSON   bool     `help:"The report as one JSON object."`
}

// Run imports; it goes on where an interrupted import stopped.
func (c *importCmd) Run(e *env) error {
	if _, ok := transfer.FindFormat(c.Format); !ok {
		var names []string
		for _, f := range transfer.Formats() {
			names = append(names, f.Name)
		}
		return wrong("there is no format %q; there are %s", c.Format, strings.Join(names, ", "))
	}
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	im := *p.Transfer
	if !c.JSON {
		im.Progress = progressLine(e)
	}
	report, err := im.Import(e.ctx, l, c.Format, c.Path...)
	if im.Progress != nil && report.Messages > 0 {
		fmt.Fprintln(e.err)
	}
	if err != nil && report.Messages == 0 {
		return err // nothing was begun
	}
	if c.JSON {
		if jerr := e.json(report); err == nil {
			err = jerr
		}
		return err
	}
	fmt.Fprintf(e.out, "%s read: %d new, %d there already", app.Counted(int64(report.Messages), "message", "messages"), report.Added, report.Known)
	if report.TooLarge > 0 {
		fmt.Fprintf(e.out, ", %d left out for their size", report.TooLarge)
	}
	fmt.Fprintln(e.out)
	for _, path := range report.Resumed {
		fmt.Fprintln(e.out, "an earlier import had read it, or a part; only what follows that was read: "+oneLine(path))
	}
	for _, line := range report.Cut {
		fmt.Fprintln(e.out, oneLine(line))
	}
	return err
}

// terminal is standard error if a person looks at it, or nil.
func terminal(e *env) io.Writer {
	f, ok := e.err.(*os.File)
	if !ok {
		return nil
	}
	if info, err := f.Stat(); err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return nil
	}
	return f
}

// progressLine rewrites one line on a terminal; elsewhere it is quiet.
func progressLine(e *env) func(transfer.Progress) {
	f := terminal(e)
	if f == nil {
		return nil
	}
	start := time.Now()
	return func(p transfer.Progress) {
		done := ""
		if p.Total > 0 {
			done = fmt.Sprintf(" %3d%%", 100*p.Octets/p.Total)
		}
		rate := float64(p.Messages) / max(time.Since(start).Seconds(), 0.001)
		fmt.Fprintf(e.err, "\r%s%s  %d messages, %d new, %.0f/s ", oneLine(p.File), done, p.Messages, p.Added, rate)
	}
}

type exportCmd struct {
	Format string `arg:"" enum:"mbox" help:"mbox."`
	List   string `arg:"" help:"The list's address."`
}

// Run writes the archive to standard output.
func (c *exportCmd) Run(e *env) error {
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	done, err := transfer.ExportMbox(e.ctx, p.Reader, l.ID, e.out, nil)
	if err == nil && len(done.Unread) > 0 {
		uids := make([]string, len(done.Unread))
		for i, uid := range done.Unread {
			uids[i] = fmt.Sprint(uid)
		}
		err = fault.New(fault.Internal, "%s cannot be read and were left out, all others are written; restore from a backup: UID %s",
			app.Counted(int64(len(uids)), "message", "messages"), strings.Join(uids, ", "))
	}
	return err
}
