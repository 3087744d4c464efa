// Package world is the mail world of a large list, on loopback: a name server
// and mail hosts for some thousand domains, as they are spread in life. A few
// providers hold most people, a long tail of domains a few each; some of those
// are hosted by the providers, and some are down, slow, mute, in a storm of 4yz
// or not there at all.
//
// Who lives where follows from numbers alone, so that whoever makes the list,
// the world itself and who checks what became of each recipient agree without
// telling each other.
package world

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Kind is how the mail hosts of a domain behave.
type Kind uint8

// The kinds.
const (
	Good   Kind = iota // takes everything at once
	Down               // nobody listens
	Mute               // takes connections and says nothing
	Slow               // takes its time over every message
	Storm              // 451 4.7.1 to every MAIL
	Null               // null MX
	NoName             // there is no such domain
	NoDNS              // its name server fails
	kinds
)

var kindNames = [kinds]string{"good", "down", "mute", "slow", "storm", "null MX", "no name", "no DNS"}

// String names the kind.
func (k Kind) String() string { return kindNames[k] }

// Plan is a world of so many people in so many domains.
type Plan struct{ People, Domains int }

// providers are the shares of people that the first domains hold.
var providers = [...]float64{0.30, 0.15, 0.09, 0.06}

// Domain is the number of the domain recipient i lives in. Each domain has at
// least one.
func (p Plan) Domain(i int) int {
	if i < p.Domains {
		return i
	}
	u := float64(mix(uint64(i))>>11) / (1 << 53)
	for d, share := range providers {
		if u < share {
			return min(d, p.Domains-1)
		}
		u -= share
	}
	rest := 1.0
	for _, share := range providers {
		rest -= share
	}
	tail := max(1, p.Domains-len(providers))
	// The cube gives the largest of 10,000 some percent and the small ones a few each.
	return min(p.Domains-1, len(providers)+int(float64(tail)*math.Pow(u/rest, 3)))
}

// Address is the address of recipient i.
func (p Plan) Address(i int) string {
	return "reader" + strconv.Itoa(i) + "@" + DomainName(p.Domain(i))
}

// Number is the reverse of Address; -1 for an address that is not of the plan.
func (p Plan) Number(address string) int {
	local, _, _ := strings.Cut(strings.TrimPrefix(address, "reader"), "@")
	i, err := strconv.Atoi(local)
	if err != nil || i < 0 || i >= p.People || p.Address(i) != address {
		return -1
	}
	return i
}

// DomainName is the name of domain d.
func DomainName(d int) string { return fmt.Sprintf("d%d.example", d) }

// Host is the number of the domain whose mail host takes the mail of d: its own,
// or the provider's where it is hosted.
func Host(d int) int {
	if d >= len(providers) && mix(uint64(d)+1<<40)%100 < 30 {
		return int(mix(uint64(d)+2<<40) % 2)
	}
	return d
}

// Kind is how domain d behaves. In a thousand domains with hosts of their own
// there are 20 that are down, 10 each that are mute, slow, stormy and gone, 5
// each with a null MX and a broken name server.
func (p Plan) Kind(d int) Kind {
	if d < len(providers) || Host(d) != d {
		return Good
	}
	n := mix(uint64(d)+3<<40) % 1000
	for _, k := range [...]struct {
		kind  Kind
		share uint64
	}{{Down, 20}, {Mute, 10}, {Slow, 10}, {Storm, 10}, {NoName, 10}, {Null, 5}, {NoDNS, 5}} {
		if n < k.share {
			return k.kind
		}
		n -= k.share
	}
	return Good
}

// mix scatters a number (splitmix64).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
