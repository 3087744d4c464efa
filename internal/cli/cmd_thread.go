package cli

import (
	"fmt"
	"strings"

	"plenary/internal/list/archive"
	"plenary/internal/model"
)

type threadCmd struct {
	Show  threadShowCmd  `cmd:"" help:"The thread of a post, and why each post stands where it does."`
	Split threadSplitCmd `cmd:"" help:"Make a post, with its answers, a thread of its own."`
	Merge threadMergeCmd `cmd:"" help:"Join the thread of a post to the thread of another."`
	Move  threadMoveCmd  `cmd:"" help:"Hang a post, with its answers, below another."`
	Reset threadResetCmd `cmd:"" help:"Take back what was decided about a post."`
}

type threadShowCmd struct {
	List string `arg:"" help:"The list's address."`
	Post string `arg:"" help:"Its UID or Message-ID."`
	JSON bool   `help:"One JSON object a line."`
}

// threadRow is what --json prints.
type threadRow struct {
	UID       model.UID `json:"uid"` // 0: never arrived
	Depth     int       `json:"depth"`
	Date      string    `json:"date"`
	Author    string    `json:"author"`
	Subject   string    `json:"subject"`
	By        string    `json:"by"`
	MessageID string    `json:"message_id"`
}

// Run draws the thread.
func (c *threadShowCmd) Run(e *env) error {
	t, l, err := threader(e, c.List)
	if err != nil {
		return err
	}
	lines, err := t.Show(e.ctx, model.Actor{Site: true}, l.ID, c.Post)
	if err != nil {
		return err
	}
	var out []threadRow
	for _, x := range lines {
		r := threadRow{UID: x.Post.ID.UID(), Depth: x.Depth, By: x.Link.String(), MessageID: x.Message, Author: x.Post.Author, Subject: x.Post.Subject}
		if x.Post.ID != 0 {
			r.Date = x.Post.SentAt.Time().Format("2006-01-02")
		}
		out = append(out, r)
	}
	return rows(e, c.JSON, out, "UID DATE BY AUTHOR SUBJECT", func(r threadRow) []any {
		indent := strings.Repeat("· ", min(r.Depth, 20))
		if r.UID == 0 {
			return []any{"-", "", r.By, "", indent + "(a message that never came: " + r.MessageID + ")"}
		}
		if r.Depth == 0 && r.By == model.LinkReferences.String() {
			r.By = "-" // it begins the thread
		}
		return []any{r.UID, r.Date, r.By, r.Author, indent + r.Subject}
	})
}

type threadSplitCmd struct {
	List string `arg:"" help:"The list's address."`
	Post string `arg:"" help:"Its UID or Message-ID."`
}

// Run makes a thread of the post.
func (c *threadSplitCmd) Run(e *env) error {
	t, l, err := threader(e, c.List)
	if err != nil {
		return err
	}
	if err := t.Split(e.ctx, model.Actor{Site: true}, l.ID, c.Post); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%s begins a thread of its own\n", oneLine(c.Post))
	return nil
}

type threadMergeCmd struct {
	List string `arg:"" help:"The list's address."`
	Post string `arg:"" help:"UID or Message-ID of a post of the thread to move."`
	Into string `arg:"" help:"UID or Message-ID of a post of the thread that takes it."`
}

// Run joins the threads.
func (c *threadMergeCmd) Run(e *env) error {
	t, l, err := threader(e, c.List)
	if err != nil {
		return err
	}
	if err := t.Merge(e.ctx, model.Actor{Site: true}, l.ID, c.Post, c.Into); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "the thread of %s belongs to that of %s\n", oneLine(c.Post), oneLine(c.Into))
	return nil
}

type threadMoveCmd struct {
	List  string `arg:"" help:"The list's address."`
	Post  string `arg:"" help:"Its UID or Message-ID."`
	Below string `arg:"" help:"UID or Message-ID of the post it answers."`
}

// Run moves the post.
func (c *threadMoveCmd) Run(e *env) error {
	t, l, err := threader(e, c.List)
	if err != nil {
		return err
	}
	if err := t.Move(e.ctx, model.Actor{Site: true}, l.ID, c.Post, c.Below); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%s stands below %s\n", oneLine(c.Post), oneLine(c.Below))
	return nil
}

type threadResetCmd struct {
	List string `arg:"" help:"The list's address."`
	Post string `arg:"" help:"Its UID or Message-ID."`
}

// Run takes the decision back.
func (c *threadResetCmd) Run(e *env) error {
	t, l, err := threader(e, c.List)
	if err != nil {
		return err
	}
	if err := t.Reset(e.ctx, model.Actor{Site: true}, l.ID, c.Post); err != nil {
		return err
	}
	fmt.Fprintf(e.out, "%s stands where its message says\n", oneLine(c.Post))
	return nil
}

func threader(e *env, list string) (*archive.Threader, *model.List, error) {
	p, l, err := e.list(list)
	return p.Threader, l, err
}
