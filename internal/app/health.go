package app

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"plenary/internal/config"
	"plenary/internal/fault"
)

const askTimeout = 5 * time.Second

// AskHealth asks the service this configuration describes, on this machine,
// whether it is well. A container's health check has no other way: its image
// holds nothing but the binary.
func AskHealth(ctx context.Context, c *config.Config) error {
	at := c.HTTP.MetricsListen
	if at == "" {
		at = c.HTTP.Listen
	}
	host, port, err := net.SplitHostPort(at)
	if err != nil {
		return fault.New(fault.Invalid, "http.listen is off, so there is nobody to ask")
	}
	if ip := net.ParseIP(host); host == "" || ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, askTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+net.JoinHostPort(host, port)+"/healthz", nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fault.Wrap(fault.Temporary, err, "plenary serve does not answer at %s; is it running, and is http.listen right?", at)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 1000))
		return fmt.Errorf("the service is not well: %s", strings.TrimSpace(string(text)))
	}
	return nil
}
