package cli

import (
	"fmt"
	"strings"
	"time"

	"plenary/internal/app"
	"plenary/internal/fault"
	"plenary/internal/store"
)

const (
	waitLook = time.Second // between two looks at the queue
	barWidth = 30
)

type queueLimitsCmd struct{}

// Run prints the built-in table of providers.
func (queueLimitsCmd) Run(e *env) error {
	_, err := fmt.Fprint(e.out, app.ProviderLimits())
	return err
}

// waitForQueue waits until nothing is left that sends itself: what a person has
// paused is not waited for.
func waitForQueue(e *env, p *app.App) error {
	show := terminal(e)
	told := false
	tick := time.NewTicker(waitLook)
	defer tick.Stop()
	var known store.Depth
	for {
		if show != nil {
			at, err := p.Store.QueueProgress(e.ctx, &known)
			if err != nil {
				return err
			}
			fmt.Fprintf(show, "\r\x1b[K%s", progressBar(at))
		}
		moves, err := p.Store.QueueMoves(e.ctx)
		if err != nil {
			return err
		}
		if !moves {
			if show != nil {
				fmt.Fprintln(show)
			}
			return nil
		}
		if !told && !p.Served() {
			told = true
			fmt.Fprintln(e.err, "no plenary serve runs with this database: nothing is sent until one does")
		}
		select {
		case <-e.ctx.Done():
			if show != nil {
				fmt.Fprintln(show)
			}
			return fault.New(fault.Temporary, "the wait was given up; sending goes on without it")
		case <-tick.C:
		}
	}
}

// progressBar draws how much of what is being sent is decided.
func progressBar(p store.Progress) string {
	share := 1.0
	if p.All > 0 {
		share = min(1, float64(p.Decided)/float64(p.All))
	}
	n := int(share * barWidth)
	return fmt.Sprintf("[%s%s] %3.0f%% %d of %d, %d wait for another try", strings.Repeat("#", n), strings.Repeat(".", barWidth-n), share*100, p.Decided, p.All, p.Retry)
}
