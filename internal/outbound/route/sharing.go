package route

import (
	"sync"
	"time"
)

// Limits of who shares a connection.
const (
	sharedFor   = 10 * time.Minute // since the site of a domain was asked for
	maxSharing  = 500              // domains a connection is counted for
	maxSharings = 20000            // of all sites
)

// sharing remembers which domains use a site. A connection is for all of them, and
// outcomes of TLS are reported by policy domain (RFC 8460 4).
type sharing struct {
	now func() time.Time
	mu  sync.Mutex
	by  map[string]map[string]sharer // by the key of a site, by domain
	n   int                          // sharers
}

// sharer is the site of one domain, which has the domain's policy.
type sharer struct {
	site  *Site
	until time.Time
}

func newSharing(now func() time.Time) *sharing {
	return &sharing{now: now, by: map[string]map[string]sharer{}}
}

// note tells that there is mail for a site's domain. Without room it is not counted.
func (s *sharing) note(site *Site) {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.by[site.Key]
	if _, have := all[site.Domain]; !have {
		if s.n >= maxSharings {
			return
		}
		if len(all) >= maxSharing {
			if s.drop(site.Key); len(all) >= maxSharing {
				return
			}
			all = s.by[site.Key]
		}
		if all == nil {
			all = map[string]sharer{}
			s.by[site.Key] = all
		}
		s.n++
	}
	all[site.Domain] = sharer{site, s.now().Add(sharedFor)}
}

// of gives the sites of all domains that share one's connections, itself first.
func (s *sharing) of(site *Site) []*Site {
	s.mu.Lock()
	defer s.mu.Unlock()
	all, now := []*Site{site}, s.now()
	for domain, other := range s.by[site.Key] {
		if domain != site.Domain && now.Before(other.until) && len(all) < maxSharing {
			all = append(all, other.site)
		}
	}
	return all
}

// tidy drops what is over.
func (s *sharing) tidy() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.by {
		s.drop(key)
	}
}

// drop forgets the domains of a site that have had no mail lately; s.mu is held.
func (s *sharing) drop(key string) {
	all, now := s.by[key], s.now()
	for domain, other := range all {
		if !now.Before(other.until) {
			delete(all, domain)
			s.n--
		}
	}
	if len(all) == 0 {
		delete(s.by, key)
	}
}
