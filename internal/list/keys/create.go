package keys

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// Request asks for new keys of a domain.
type Request struct {
	Domain   string
	Selector string        // empty: one after the quarter, such as 2026q4
	Ed25519  bool          // an Ed25519 key too; its selector has an e at the end
	After    time.Duration // until it signs; zero: only after Activate
}

// Create makes the first keys of a domain: RSA, and Ed25519 when asked for. A
// domain that has them already is a Conflict; one that lacks only the Ed25519
// key gets that.
func (s *Service) Create(ctx context.Context, r Request) ([]Info, error) {
	have, err := s.of(ctx, r.Domain)
	if err != nil {
		return nil, err
	}
	want := []model.DKIMAlgorithm{model.DKIMRSA}
	if r.Ed25519 {
		want = append(want, model.DKIMEd25519)
	}
	want = slices.DeleteFunc(want, func(a model.DKIMAlgorithm) bool {
		return slices.ContainsFunc(have, func(i Info) bool { return i.Algorithm == a })
	})
	if len(want) == 0 {
		return nil, fault.New(fault.Conflict, "%s has a DKIM key; rotate replaces it", r.Domain)
	}
	return s.add(ctx, r, have, want)
}

// Rotate makes a new key for each algorithm the domain signs with. The old ones
// go on signing until the new ones are activated. A Conflict while new ones
// wait.
func (s *Service) Rotate(ctx context.Context, r Request) ([]Info, error) {
	have, err := s.of(ctx, r.Domain)
	if err != nil {
		return nil, err
	}
	var want []model.DKIMAlgorithm
	for _, i := range have {
		switch i.State {
		case Waiting:
			return nil, fault.New(fault.Conflict, "%s waits already; activate or remove it first", i.Name)
		case Signing:
			want = append(want, i.Algorithm)
		}
	}
	if r.Ed25519 && !slices.Contains(want, model.DKIMEd25519) {
		want = append(want, model.DKIMEd25519)
	}
	if len(have) == 0 {
		return nil, fault.New(fault.NotFound, "%s has no DKIM key; create makes the first", r.Domain)
	}
	slices.Sort(want)
	return s.add(ctx, r, have, want)
}

// add makes and stores keys.
func (s *Service) add(ctx context.Context, r Request, have []Info, want []model.DKIMAlgorithm) ([]Info, error) {
	domain, err := checked(r.Domain)
	if err != nil {
		return nil, err
	}
	if r.After < 0 {
		return nil, fault.New(fault.Invalid, "a key cannot be active in the past")
	}
	selector, err := s.selector(r.Selector, have)
	if err != nil {
		return nil, err
	}
	var rows []*model.DKIMKey
	for _, a := range want {
		k := &model.DKIMKey{Domain: domain, Selector: selector, Algorithm: a}
		if a == model.DKIMEd25519 {
			k.Selector += "e" // each key has a selector of its own, RFC 8463 3
		}
		if r.After > 0 {
			k.ActiveAt = model.At(s.Now().Add(r.After))
		}
		if err := s.build(ctx, k); err != nil {
			return nil, err
		}
		rows = append(rows, k)
	}
	if err := s.Store.SaveDKIMKeys(ctx, rows...); err != nil {
		if fault.Is(err, fault.Conflict) {
			return nil, fault.New(fault.Conflict, "%s has a key with the selector %s already", domain, selector)
		}
		return nil, err
	}
	s.forget()
	return s.pick(ctx, domain, func(i Info) bool {
		return slices.ContainsFunc(rows, func(k *model.DKIMKey) bool { return k.ID == i.ID })
	})
}

// selector checks a wished selector, or names one after the quarter.
func (s *Service) selector(wish string, have []Info) (string, error) {
	if wish == "" {
		now := s.Now().UTC()
		quarter := fmt.Sprintf("%dq%d", now.Year(), (int(now.Month())+2)/3)
		wish = quarter
		for n := 2; slices.ContainsFunc(have, func(i Info) bool { return i.Selector == wish || i.Selector == wish+"e" }); n++ {
			wish = fmt.Sprintf("%s-%d", quarter, n)
		}
		return wish, nil
	}
	wish = strings.ToLower(wish)
	for _, label := range strings.Split(wish, ".") {
		bad := strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != ""
		if bad || label == "" || len(label) >= maxSelector || label[0] == '-' || label[len(label)-1] == '-' {
			return "", fault.New(fault.Invalid, "%q is no selector: letters, digits and hyphens", wish)
		}
	}
	return wish, nil
}
