package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"plenary/internal/app"
	"plenary/internal/fault"
)

type traceCmd struct {
	What  string `arg:"" help:"A Message-ID or an address."`
	Of    string `arg:"" optional:"" name:"message-id" help:"After an address: only its part in this message."`
	Limit int    `default:"50" help:"Posts of each list for a person, recipients for a message."`
	JSON  bool   `help:"One JSON object a line."`
}

// traceRow is what --json prints.
type traceRow struct {
	At      string `json:"at"`
	List    string `json:"list"`
	What    string `json:"what"`
	Who     string `json:"who"`
	Message string `json:"message"`
	Subject string `json:"subject"`
	Code    int    `json:"code"`
	Reply   string `json:"reply"`
	Text    string `json:"text"`
}

// Run prints the story of a message in the order of time, or of a person with
// the newest first.
func (c *traceCmd) Run(e *env) error {
	if c.Limit < 1 {
		return wrong("--limit must be at least 1")
	}
	p, err := e.app()
	if err != nil {
		return err
	}
	lines, err := p.Trace(e.ctx, app.TraceQuery{What: c.What, Of: c.Of, Limit: c.Limit})
	if err != nil {
		return err
	}
	if len(lines) == 0 {
		return fault.New(fault.NotFound, "nothing is known of %s: no list has such a subscriber or message, and none was refused within a year", oneLine(c.What))
	}
	of := strings.Trim(c.Of, "<> ")
	absent := c.Of != "" && !slices.ContainsFunc(lines, func(l app.TraceLine) bool { return l.Message == of })
	if absent {
		known, err := p.Trace(e.ctx, app.TraceQuery{What: "<" + of + ">", Limit: 1})
		if err != nil {
			return err
		}
		if len(known) == 0 {
			return fault.New(fault.NotFound, "nothing is known of the message <%s>", oneLine(of))
		}
	}
	for _, l := range lines {
		if c.JSON {
			err = e.json(traceRow{l.At.Time().Format(time.RFC3339), l.List, l.What, l.Who, l.Message, l.Subject, l.Code, l.Reply, l.Text})
		} else {
			_, err = fmt.Fprintln(e.out, sentence(c, l))
		}
		if err != nil {
			return err
		}
	}
	if absent && !c.JSON {
		fmt.Fprintf(e.out, "nothing is known of a copy for this person; what became of the message: plenary trace '<%s>'\n", oneLine(of))
	}
	return nil
}

// sentence is one event as a line: when, where, what.
func sentence(c *traceCmd, l app.TraceLine) string {
	text := l.At.Time().Format("2006-01-02 15:04:05") + "  "
	if l.List != "" {
		text += l.List + "  "
	}
	if l.Subject != "" && l.What != "post.archived" && l.What != "post.imported" {
		text += `"` + l.Subject + `" `
	}
	if l.Message != "" && "<"+l.Message+">" != c.What && l.Message != c.What {
		text += "<" + l.Message + "> "
	}
	return oneLine(text + l.Text)
}
