package app

import (
	"errors"
	"net"
	"os"
	"strings"
	"time"

	"plenary/internal/config"
	"plenary/internal/fault"
)

// Addrs are the addresses the doors really listen on; empty means off.
type Addrs struct {
	SMTP       string `json:"smtp"`
	Submission string `json:"submission,omitempty"`
	LMTP       string `json:"lmtp"`
	IMAP       string `json:"imap"`
	IMAPS      string `json:"imaps,omitempty"`
	HTTP       string `json:"http"`
	Metrics    string `json:"metrics,omitempty"`
}

// Listen opens every configured door without answering yet. It fails as a
// whole: what was opened is closed again. Only one process may serve with a
// data_dir: leases in the queue are held by the folder's name.
func (a *App) Listen() (Addrs, error) {
	if err := a.checkRelays(); err != nil {
		return Addrs{}, err
	}
	if err := a.cert.load(); err != nil {
		return Addrs{}, err
	}
	if err := a.lock(); err != nil {
		return Addrs{}, err
	}
	if err := a.lockDatabase(); err != nil {
		return Addrs{}, err
	}
	for _, d := range a.doors() {
		if d.addr == "" {
			continue
		}
		l, err := listen(d.addr)
		if err != nil {
			for _, open := range a.listeners {
				_ = open.Close()
			}
			return Addrs{}, fault.Wrap(fault.Invalid, err, "cannot listen on %s; set %s to another address", d.addr, d.name)
		}
		a.listeners[d.name] = l
		*d.at = l.Addr().String()
		if l.Addr().Network() == "unix" {
			*d.at = "unix:" + *d.at
		}
	}
	a.tellBaseURL()
	if c := a.Config; !config.Loopback(c.IMAP.Listen) && c.TLS.CertFile == "" {
		a.Log.Warn("tls.cert_file is not set: from other machines nobody can log in by IMAP, only public archives can be read", "imap.listen", c.IMAP.Listen)
	}
	return a.addrs, nil
}

// door is one line of the table of everything that listens.
type door struct {
	name, addr string  // the configuration key and its value; off when empty
	at         *string // where it really listens
}

func (a *App) doors() []door {
	c := a.Config
	return []door{
		{"smtp.listen", c.SMTP.Listen, &a.addrs.SMTP},
		{"smtp.submission_listen", c.SMTP.SubmissionListen, &a.addrs.Submission},
		{"lmtp.listen", c.LMTP.Listen, &a.addrs.LMTP},
		{"imap.listen", c.IMAP.Listen, &a.addrs.IMAP},
		{"imap.tls_listen", c.IMAP.TLSListen, &a.addrs.IMAPS},
		{"http.listen", c.HTTP.Listen, &a.addrs.HTTP},
		{"http.metrics_listen", c.HTTP.MetricsListen, &a.addrs.Metrics},
	}
}

// listen opens host:port or unix:PATH. A socket file left by a killed process
// is removed; one that still answers is not.
func listen(addr string) (net.Listener, error) {
	path, isUnix := strings.CutPrefix(addr, "unix:")
	if !isUnix {
		return net.Listen("tcp", addr)
	}
	if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 {
		if c, err := net.DialTimeout("unix", path, time.Second); err == nil {
			_ = c.Close()
			return nil, errors.New("another process answers there")
		}
		_ = os.Remove(path)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		return nil, err
	}
	return l, os.Chmod(path, 0o660) // the group decides which mail server may deliver
}
