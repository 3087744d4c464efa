package app

import (
	"context"
	"encoding/hex"
	"time"

	"plenary/internal/auth"
	"plenary/internal/edge/imapd"
	"plenary/internal/edge/smtpin"
	"plenary/internal/edge/web"
	"plenary/internal/fault"
	"plenary/internal/model"
)

// openDoors makes the doors; they open in Listen and answer only in Run.
func (a *App) openDoors() error {
	c := a.Config
	a.cert = newCertificate(c.TLS.CertFile, c.TLS.KeyFile, time.Now)
	mail := smtpin.Options{
		Desk: a.Desk, Hostname: c.Hostname, MaxMessageBytes: c.SMTP.MaxMessageBytes, MaxRecipients: c.SMTP.MaxRecipients,
		MaxConnections: c.SMTP.MaxConnections, MaxPerIP: c.SMTP.MaxPerIP, ReadTimeout: c.SMTP.Timeout, TLSConfig: a.cert.config(), Logger: a.Log,
	}
	a.smtp = smtpin.New(mail)
	submission := mail
	submission.Submission, submission.Authenticator = true, accounts{a.Auth}
	a.submission = smtpin.New(submission)
	lmtp := mail
	lmtp.LMTP, lmtp.MaxPerIP = true, c.SMTP.MaxConnections // the one mail server in front
	a.lmtp = smtpin.New(lmtp)
	a.imap = imapd.New(imapd.Options{
		Archive: imapd.Over(a.Reader), Auth: a.Auth, Changes: a.Store, Access: a.Store, Moderation: moderators{a}, Hostname: c.Hostname, TLSConfig: a.cert.config(),
		MaxConnections: c.IMAP.MaxConnections, MaxPerIP: c.IMAP.MaxPerIP, Metrics: a.Metrics, Log: a.Log,
	})
	o := web.Options{Hostname: c.Hostname, Lists: a.Store, Leave: a.Membership, Archive: permalinks{a}, Search: a.Reader, Folder: a.folder, Health: a.healthy.Check,
		Metrics: a.Metrics.Handler(), Log: a.Log}
	if c.Outbound.Mode == "catch" {
		o.Catcher, o.SMTP = catcher{a.Store}, c.SMTP.Listen
	}
	var err error
	a.web, err = web.New(o)
	return err
}

// accounts lets owners' tools in at the submission door.
type accounts struct{ auth *auth.Service }

// Authenticate implements smtpin.Authenticator.
func (a accounts) Authenticate(ctx context.Context, user, password string) (string, error) {
	who, err := a.auth.Authenticate(ctx, user, password)
	return who.Email, err
}

// permalinks finds the post an Archived-At field names.
type permalinks struct{ app *App }

// PostByPermalink implements web.Archive.
func (p permalinks) PostByPermalink(ctx context.Context, l *model.List, hash string) ([]byte, error) {
	missing := fault.New(fault.NotFound, "there is no such post")
	key, err := hex.DecodeString(hash) // posting.Permalink
	if err != nil {
		return nil, missing
	}
	id, err := p.app.Store.FindPostByKey(ctx, l.ID, model.KeyMessageID, key)
	if err != nil || id == 0 {
		return nil, cmpOr(err, missing)
	}
	post, err := p.app.Store.GetPost(ctx, id)
	if err != nil {
		return nil, err
	}
	return p.app.Store.PostBytes(ctx, post)
}

func cmpOr(err, fallback error) error {
	if err != nil {
		return err
	}
	return fallback
}
