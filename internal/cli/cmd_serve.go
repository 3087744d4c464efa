package cli

import (
	"plenary/internal/app"
)

type serveCmd struct{}

// Run is the service: it brings the schema up, opens the doors and works until
// SIGTERM or Ctrl-C.
func (c *serveCmd) Run(e *env) error {
	cfg, err := e.config()
	if err != nil {
		return err
	}
	log := logger(cfg.Log, e.err)
	a, err := app.New(e.ctx, cfg, log)
	if err != nil {
		return err
	}
	e.opened = a
	if err := a.ReadyToServe(e.ctx); err != nil {
		return err
	}
	at, err := a.Listen()
	if err != nil {
		return err
	}
	log.Info("plenary serves", "smtp", at.SMTP, "submission", at.Submission, "lmtp", at.LMTP, "imap", at.IMAP, "imaps", at.IMAPS,
		"http", at.HTTP, "metrics", at.Metrics, "outbound", cfg.Outbound.Mode, "node", a.Node)
	err = a.Run(e.ctx)
	log.Info("plenary stopped")
	return err
}
