package app

import (
	"context"
	"time"

	"plenary/internal/store"
)

const (
	shareSlot  = "direct" // nodes that send straight to mail hosts
	shareEvery = 10 * time.Second
	shareFor   = 45 * time.Second // a node that was silent so long does not count
)

// shareLimits divides the limits of providers among the nodes that send straight
// to mail hosts: each says now and then that it lives. A node that cannot say so
// keeps the part it had; it cannot lease work either. With SQLite there is but
// one node.
func (a *App) shareLimits(ctx context.Context) {
	if a.paces == nil || a.Store.Dialect() != store.Postgres {
		return
	}
	tick := time.NewTicker(shareEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
			a.takePart(ctx)
		}
	}
}

// takePart says that this node lives and takes its part of the limits.
func (a *App) takePart(ctx context.Context) {
	if a.paces == nil || a.Store.Dialect() != store.Postgres {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, shareEvery)
	defer cancel()
	node, nodes, err := a.Store.LeaseSlot(ctx, shareSlot, a.Node, shareFor)
	if err != nil {
		a.Log.Warn("the part of the limits of providers is not known now", "err", err)
		return
	}
	a.partMu.Lock()
	defer a.partMu.Unlock()
	if now := [2]int{node, nodes}; now != a.part {
		a.part = now
		a.Log.Info("limits of providers are shared by the nodes that send", "node", node+1, "of", nodes)
		a.paces.Share(node, nodes)
	}
}

// leavePart leaves this node's part to the others. It ends by itself otherwise.
func (a *App) leavePart() {
	a.partMu.Lock()
	sends := a.part[1] > 0
	a.partMu.Unlock()
	if !sends {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), shareEvery)
	defer cancel()
	if err := a.Store.LeaveSlot(ctx, shareSlot, a.Node); err != nil {
		a.Log.Debug("the part of the limits of providers was not given back", "err", err)
	}
}
