package smtpin

import "crypto/tls"

// startTLS answers RFC 3207 itself: go-smtp would hide the lines inside TLS
// from us, and without them none of the above could be done.
func (w *wire) startTLS(arg string) {
	switch {
	case arg != "":
		w.mistake(501, "5.5.4", "STARTTLS takes no argument")
	case w.srv.opt.TLSConfig == nil:
		w.answer(502, "5.5.1", "TLS is not available here")
	case w.tls:
		w.answer(503, "5.5.1", "TLS is already on")
	case w.session.busy() || w.session.authenticated():
		w.answer(503, "5.5.1", "STARTTLS must come before AUTH and MAIL")
	case w.in.Buffered() > 0:
		// Whoever sends on did not wait for TLS; a third party may have
		// added those commands (RFC 3207 6).
		w.farewell("4.7.0", "STARTTLS must be the last command before its reply")
	default:
		w.answer(220, "2.0.0", "Go ahead")
		if w.flush() != nil {
			return
		}
		w.conn, w.tls, w.state = tls.Server(w.raw, w.srv.opt.TLSConfig), true, notGreeted
	}
}

// handshake does TLS's part before the first octet inside it, under a
// deadline below TLS: go-smtp sets none for a client that stays silent.
func (w *wire) handshake() error {
	conn, ok := w.conn.(*tls.Conn)
	if !ok || w.handshook {
		return nil
	}
	w.handshook = true
	until := w.srv.opt.Now().Add(handshakeTimeout)
	w.mu.Lock()
	err := w.gone
	if err == nil && w.srv.stopping.Load() {
		err = errStopping
	}
	if err == nil {
		err = w.raw.SetDeadline(until)
	}
	w.mu.Unlock()
	if err == nil {
		err = conn.Handshake()
	}
	if err != nil { // nothing can be said any more, in plain text or in TLS
		w.srv.log.Debug("TLS handshake failed", "peer", w.peer, "error", err)
		w.mu.Lock()
		w.gone = err
		w.mu.Unlock()
	}
	return err
}
