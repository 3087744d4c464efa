package config

import (
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"plenary/internal/fault"
)

// Relay is one smarthost of outbound.relay.
type Relay struct {
	Addr   string // host:port
	Weight int    // its share; 0: only while no other can be used
}

// Relays reads outbound.relay: "host:port", or several with commas, each with
// an optional " weight=N".
func (o *Outbound) Relays() ([]Relay, error) {
	wrong := fault.New(fault.Invalid, "outbound.relay: %.100q is not host:port or host:port weight=NUMBER", o.Relay)
	var out []Relay
	total := 0
	for _, part := range strings.Split(o.Relay, ",") {
		words := strings.Fields(part)
		if len(words) == 0 || len(words) > 2 || !hostPort(words[0]) {
			return nil, wrong
		}
		r := Relay{words[0], 1}
		if len(words) == 2 {
			text, ok := strings.CutPrefix(words[1], "weight=")
			n, err := strconv.ParseUint(text, 10, 16)
			if !ok || err != nil {
				return nil, wrong
			}
			r.Weight = int(n)
		}
		if slices.ContainsFunc(out, func(have Relay) bool { return have.Addr == r.Addr }) {
			return nil, wrong
		}
		total += r.Weight
		out = append(out, r)
	}
	if total == 0 {
		return nil, wrong
	}
	return out, nil
}

func relaysWrong(text string) bool {
	_, err := (&Outbound{Relay: text}).Relays()
	return err != nil
}

// Resolvers lists the name servers of outbound.resolver.
func (o *Outbound) Resolvers() (out []string) {
	for _, s := range strings.Split(o.Resolver, ",") {
		if s = strings.TrimSpace(s); s != "" {
			out = append(out, s)
		}
	}
	return out
}

func hostPorts(list []string) bool {
	for _, s := range list {
		if !hostPort(s) {
			return false
		}
	}
	return true
}

// Decode reads TOML strictly: a key that into has no place for is an error.
func Decode(text string, into any) error {
	md, err := toml.Decode(text, into)
	if err != nil {
		return err
	}
	if unknown := md.Undecoded(); len(unknown) > 0 {
		return fault.New(fault.Invalid, "unknown key %s", unknown[0])
	}
	return nil
}
