package cli

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/list/archive"
	"plenary/internal/model"
)

type archiveCmd struct {
	Check   archiveCheckCmd   `cmd:"" help:"Compare a list's index, threads and listings with its messages."`
	Reindex archiveReindexCmd `cmd:"" help:"Make them anew from the messages, beside a running service."`
}

type archiveCheckCmd struct {
	List  string `arg:"" help:"The list's address."`
	Limit int    `default:"50" help:"Findings to print; all are counted."`
	JSON  bool   `help:"The findings and the sums as one JSON object a line."`
}

// findingRow is what --json prints of a finding.
type findingRow struct {
	UID  model.UID `json:"uid"`
	Text string    `json:"text"`
}

// Run checks; findings are a failure, so that a script notices.
func (c *archiveCheckCmd) Run(e *env) error {
	k, l, err := keeperOf(e, c.List, c.JSON)
	if err != nil {
		return err
	}
	var out []findingRow
	sum, err := k.Check(e.ctx, l, func(f archive.Finding) {
		if len(out) < c.Limit {
			out = append(out, findingRow{f.UID, f.Text})
		}
	})
	if err != nil {
		return err
	}
	if len(out) > 0 {
		if err := rows(e, c.JSON, out, "UID FOUND", func(r findingRow) []any {
			if r.UID == 0 {
				return []any{"-", r.Text}
			}
			return []any{r.UID, r.Text}
		}); err != nil {
			return err
		}
	}
	if c.JSON {
		err = e.json(sum)
	} else {
		fmt.Fprintf(e.out, "%s read (%d octets), %s in threads: %s\n", app.Counted(int64(sum.Posts), "post", "posts"), sum.Octets,
			app.Counted(int64(sum.Threads), "place", "places"), app.Counted(int64(sum.Findings), "finding", "findings"))
	}
	switch {
	case err != nil:
	case sum.Damaged > 0 && sum.Findings > sum.Damaged:
		err = fault.New(fault.Conflict, "some messages cannot be read: restore them from a backup; the rest is mended by plenary archive reindex %s", c.List)
	case sum.Damaged > 0:
		err = fault.New(fault.Conflict, "some messages cannot be read, and no reindex helps: restore them from a backup")
	case sum.Findings > 0:
		err = fault.New(fault.Conflict, "the archive does not fit its messages: plenary archive reindex %s", c.List)
	}
	return err
}

type archiveReindexCmd struct {
	List string `arg:"" help:"The list's address."`
	JSON bool   `help:"The sums as one JSON object."`
}

// Run makes everything derived anew.
func (c *archiveReindexCmd) Run(e *env) error {
	k, l, err := keeperOf(e, c.List, c.JSON)
	if err != nil {
		return err
	}
	done, err := k.Reindex(e.ctx, l)
	if err != nil {
		return err
	}
	if c.JSON {
		return errors.Join(e.json(done), unreadable(done))
	}
	fmt.Fprintf(e.out, "%s made anew, %s in threads changed\n", app.Counted(int64(done.Posts), "post", "posts"), app.Counted(int64(done.Threads), "place", "places"))
	if len(done.Others) > 0 {
		fmt.Fprintf(e.out, "a part of the full-text index was damaged; to be made anew as well: %s\n", strings.Join(done.Others, ", "))
	}
	return unreadable(done)
}

// unreadable says what a reindex could not make anew: that is a failure.
func unreadable(done archive.Reindexed) error {
	if done.Damaged == 0 {
		return nil
	}
	return fault.New(fault.Conflict, "%s cannot be read, left as before, and the threads with them: restore from a backup",
		app.Counted(int64(done.Damaged), "message", "messages"))
}

// keeperOf makes a keeper that shows how far it is on a terminal.
func keeperOf(e *env, list string, quiet bool) (*archive.Keeper, *model.List, error) {
	p, l, err := e.list(list)
	if err != nil {
		return nil, nil, err
	}
	k := &archive.Keeper{Reader: p.Reader, Repairs: p.Store}
	if f, ok := e.err.(*os.File); ok && !quiet {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			k.Progress = func(done, total int) {
				fmt.Fprintf(f, "\r%d of %d posts ", done, total)
				if done == total {
					fmt.Fprintln(f)
				}
			}
		}
	}
	return k, l, nil
}
