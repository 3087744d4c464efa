package app

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
	"time"

	"plenary/internal/edge/web"
)

// How long a stop waits for transactions and copies in flight.
const stopTimeout = 30 * time.Second

// Run answers at every door and sends what waits, until ctx ends or a door
// breaks; then it stops in order: no new mail, transactions under way finish,
// the queue records what it has in flight. Listen must have been called.
func (a *App) Run(ctx context.Context) error {
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	defer stopWork()
	a.takePart(work)
	var background sync.WaitGroup
	background.Go(func() {
		if err := a.Queue.Run(work); err != nil {
			a.Log.Error("the queue could not finish", "err", err)
		}
	})
	background.Go(func() { a.runJobs(work) })
	background.Go(func() { tidyMemory(work, a.pace(), a.rest) })
	background.Go(func() { a.countTLS(work) })
	background.Go(func() { a.shareLimits(work) })

	broken := make(chan error, len(a.listeners))
	var doors sync.WaitGroup
	for name, l := range a.listeners {
		serve := a.server(work, name)
		doors.Go(func() {
			if err := serve(l); err != nil && !errors.Is(err, net.ErrClosed) {
				broken <- err
			}
		})
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-broken:
		a.Log.Error("a door broke", "err", err)
	}
	a.stopDoors()
	for _, l := range a.listeners { // also of a door that had not begun to serve when it was stopped
		_ = l.Close()
	}
	doors.Wait()
	stopWork()
	background.Wait()
	a.leavePart()
	return err
}

// server gives the function that serves the door of this configuration key.
func (a *App) server(ctx context.Context, name string) func(net.Listener) error {
	switch name {
	case "smtp.listen":
		return func(l net.Listener) error { return a.smtp.Serve(ctx, l) }
	case "smtp.submission_listen":
		return func(l net.Listener) error { return a.submission.Serve(ctx, l) }
	case "lmtp.listen":
		return func(l net.Listener) error { return a.lmtp.Serve(ctx, l) }
	case "imap.listen":
		return func(l net.Listener) error { return a.imap.Serve(ctx, l) }
	case "imap.tls_listen":
		return func(l net.Listener) error { return a.imap.ServeTLS(ctx, l) }
	case "http.metrics_listen":
		a.health = &http.Server{Handler: web.Health(a.healthy.Check, a.Metrics.Handler()), ReadHeaderTimeout: 10 * time.Second}
		return func(l net.Listener) error {
			if err := a.health.Serve(l); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		}
	}
	return a.web.Serve
}

// stopDoors closes the doors to newcomers and waits for who is inside.
func (a *App) stopDoors() {
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var wg sync.WaitGroup
	for _, stop := range []func(context.Context) error{
		a.smtp.Shutdown, a.submission.Shutdown, a.lmtp.Shutdown, a.imap.Shutdown, a.web.Shutdown,
	} {
		wg.Go(func() { _ = stop(ctx) })
	}
	if a.health != nil {
		wg.Go(func() { _ = a.health.Shutdown(ctx) })
	}
	wg.Wait()
}
