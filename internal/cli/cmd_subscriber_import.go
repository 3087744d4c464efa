package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/list/membership"
	"plenary/internal/model"
)

type subscriberImportCmd struct {
	List   string `arg:"" help:"The list's address."`
	File   string `arg:"" help:"The CSV file, or - for standard input. A header line may name the columns (email, name); without one the first line shows where the address is."`
	DryRun bool   `help:"Say what would happen and change nothing."`
}

// Run adds everybody in the file. Refused lines are reported and the others
// stay, so that a mended file can be imported again.
func (c *subscriberImportCmd) Run(e *env) error {
	p, l, err := e.list(c.List)
	if err != nil {
		return err
	}
	in := e.in
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return err
		}
		defer f.Close()
		in = f
	}
	people, err := openCSV(in)
	if err != nil {
		return err
	}
	job := &csvImport{e: e, list: l, source: c.File, people: people, progress: terminal(e)}
	job.add = func(ctx context.Context, batch []model.Subscriber) (int, error) {
		return p.Membership.AddAll(ctx, l, batch, "cli")
	}
	done := "added"
	if c.DryRun {
		done, job.add = "would be added", job.absent(p)
	}
	err = job.run()
	if job.progress != nil && job.lines > csvBatch {
		fmt.Fprintln(job.progress)
	}
	fmt.Fprintf(e.out, "%s %d, already there %d, refused %d\n", done, job.added, job.already, job.refused)
	if err == nil && job.refused > 0 {
		err = fault.New(fault.Invalid, "%d of %d lines were refused; mend them and import the file again: who is there stays as she is", job.refused, job.lines)
	}
	return err
}

const csvBatch = 1000 // people a transaction

// csvImport adds people in batches.
type csvImport struct {
	e        *env
	list     *model.List
	source   string
	people   *csvPeople
	add      func(ctx context.Context, batch []model.Subscriber) (fresh int, err error)
	progress io.Writer // nil: no terminal
	batch    []model.Subscriber

	lines, added, already, refused int
}

func (j *csvImport) run() error {
	for {
		line, a, name, err := j.people.next()
		if errors.Is(err, io.EOF) {
			return j.flush()
		}
		if err == nil {
			err = membership.CheckAddress(j.list, a)
		}
		if f := (*fault.Error)(nil); errors.As(err, &f) {
			j.lines++
			j.refused++
			fmt.Fprintf(j.e.err, "line %d: %s\n", line, oneLine(f.Text))
			continue
		}
		if err != nil {
			return errors.Join(j.flush(), err)
		}
		j.lines++
		j.batch = append(j.batch, model.Subscriber{Email: a.String(), EmailKey: a.Key(), Name: oneLine(name), Roles: model.RoleSubscriber,
			Consent: "imported from " + j.source})
		if len(j.batch) == csvBatch {
			if err := j.flush(); err != nil {
				return err
			}
		}
	}
}

func (j *csvImport) flush() error {
	fresh, err := j.add(j.e.ctx, j.batch)
	if err == nil {
		j.added += fresh
		j.already += len(j.batch) - fresh
	}
	if j.progress != nil && len(j.batch) == csvBatch {
		fmt.Fprintf(j.progress, "\r%d lines, %d added ", j.lines, j.added)
	}
	j.batch = j.batch[:0]
	return err
}

// absent counts who is not on the list, each address once.
func (j *csvImport) absent(p *app.App) func(context.Context, []model.Subscriber) (int, error) {
	seen := map[string]bool{}
	return func(ctx context.Context, batch []model.Subscriber) (fresh int, err error) {
		for i := range batch {
			key := batch[i].EmailKey
			if seen[key] {
				continue
			}
			seen[key] = true
			there, err := p.Store.FindSubscriber(ctx, j.list.ID, key)
			if err != nil {
				return fresh, err
			}
			if !there.Has(model.RoleSubscriber) {
				fresh++
			}
		}
		return fresh, nil
	}
}
