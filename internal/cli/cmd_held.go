package cli

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode"

	"plenary/internal/list/moderation"
	"plenary/internal/model"
)

type heldCmd struct {
	Ls      heldLsCmd      `cmd:"" help:"Held posts of one list or of all."`
	Show    heldShowCmd    `cmd:"" help:"One held post with its reasons."`
	Approve heldApproveCmd `cmd:"" help:"Release it to the list."`
	Reject  heldRejectCmd  `cmd:"" help:"Refuse it; the author is told."`
	Discard heldDiscardCmd `cmd:"" help:"Drop it; nobody is told."`
}

type heldLsCmd struct {
	List string `arg:"" optional:"" help:"The list's address."`
	JSON bool   `help:"One JSON object a line."`
}

type heldRow struct {
	ID      int64          `json:"id"`
	List    string         `json:"list"`
	At      string         `json:"at"`
	Author  string         `json:"author"`
	Subject string         `json:"subject"`
	Reasons []model.Reason `json:"reasons"`
}

// Run prints what waits.
func (c *heldLsCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	var list int64
	if c.List != "" {
		l, err := findList(e, p, c.List)
		if err != nil {
			return err
		}
		list = l.ID
	}
	held, err := p.Store.HeldOf(e.ctx, list, model.HeldPending)
	if err != nil {
		return err
	}
	var out []heldRow
	for i := range held {
		h := &held[i]
		l, err := p.Store.GetList(e.ctx, h.ListID)
		if err != nil {
			return err
		}
		row := heldRow{ID: h.ID, List: l.Address(), At: h.CreatedAt.Time().Format("2006-01-02 15:04"), Author: h.Author, Subject: h.Subject}
		_ = json.Unmarshal([]byte(h.Reasons), &row.Reasons)
		out = append(out, row)
	}
	return rows(e, c.JSON, out, "ID LIST SINCE AUTHOR SUBJECT WHY", func(r heldRow) []any {
		why := ""
		for i, reason := range r.Reasons {
			if i > 0 {
				why += "; "
			}
			why += reason.Text
		}
		return []any{r.ID, r.List, r.At, r.Author, r.Subject, why}
	})
}

type heldShowCmd struct {
	ID  int64 `arg:"" help:"Its number."`
	Raw bool  `help:"Only the post, byte for byte."`
}

// Run prints the reasons, then the post as it was received, without what would
// drive a terminal.
func (c *heldShowCmd) Run(e *env) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	h, err := p.Store.GetHeld(e.ctx, c.ID)
	if err != nil {
		return err
	}
	raw, err := p.Store.Bytes(e.ctx, h.BytesID)
	if err != nil {
		return err
	}
	if c.Raw {
		_, err = e.out.Write(raw)
		return err
	}
	var reasons []model.Reason
	_ = json.Unmarshal([]byte(h.Reasons), &reasons)
	fmt.Fprintf(e.out, "%s, held %s\n", h.State, h.CreatedAt.Time().Format("2006-01-02 15:04 MST"))
	for _, r := range reasons {
		fmt.Fprintf(e.out, "- %s (%s)\n", oneLine(r.Text), r.Rule)
	}
	fmt.Fprintln(e.out)
	_, err = e.out.WriteString(lines(raw))
	return err
}

// lines shows a message as text: line ends of this machine, nothing that drives
// a terminal.
func lines(raw []byte) string {
	return strings.Map(func(r rune) rune {
		if drives(r) {
			return unicode.ReplacementChar
		}
		return r
	}, strings.ReplaceAll(string(raw), "\r\n", "\n"))
}

type heldApproveCmd struct {
	ID int64 `arg:"" help:"Its number."`
}

// Run releases the post.
func (c *heldApproveCmd) Run(e *env) error { return decide(e, c.ID, model.Accept, "") }

type heldRejectCmd struct {
	ID     int64  `arg:"" help:"Its number."`
	Reason string `help:"What the author is told."`
}

// Run refuses the post.
func (c *heldRejectCmd) Run(e *env) error { return decide(e, c.ID, model.Reject, c.Reason) }

type heldDiscardCmd struct {
	ID int64 `arg:"" help:"Its number."`
}

// Run drops the post.
func (c *heldDiscardCmd) Run(e *env) error { return decide(e, c.ID, model.Discard, "") }

func decide(e *env, id int64, action model.Action, comment string) error {
	p, err := e.app()
	if err != nil {
		return err
	}
	return p.Moderation.Decide(e.ctx, moderation.Decision{HeldID: id, Action: action, Comment: comment, By: "cli"})
}
