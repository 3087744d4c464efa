package store

import (
	"context"
	"slices"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// touchStep is how exactly the last use of an app password is kept: mail
// clients log in many times a minute, and each change is a synced write.
const touchStep = 5 * time.Minute

// topicAccess is woken when app passwords were revoked.
const topicAccess = "access"

// WatchAccess gives a channel that receives after an app password was revoked, here
// or on another node; call the function when done.
func (s *Store) WatchAccess() (<-chan struct{}, func()) { return s.Watch(topicAccess) }

// passwordsAtOnce is how many app passwords one question names.
const passwordsAtOnce = 500

// RevokedPasswords gives those of the app passwords that are good no more: revoked,
// or gone with their account.
func (s *Store) RevokedPasswords(ctx context.Context, ids []int64) (revoked []int64, err error) {
	good := map[int64]bool{}
	for part := range slices.Chunk(ids, passwordsAtOnce) {
		var some []int64
		if err := s.read(ctx).Raw("SELECT id FROM app_passwords WHERE id IN ? AND revoked_at = 0", part).Scan(&some).Error; err != nil {
			return nil, s.fault(err)
		}
		for _, id := range some {
			good[id] = true
		}
	}
	for _, id := range ids {
		if !good[id] {
			revoked = append(revoked, id)
		}
	}
	return revoked, nil
}

// EnsureAccount gives the account that owns the address, made now when there is
// none.
func (s *Store) EnsureAccount(ctx context.Context, email, key, name string) (*model.Account, error) {
	if a, err := s.FindAccount(ctx, key); err != nil || a != nil {
		return a, err
	}
	var out *model.Account
	err := s.write(ctx, func(t *tx) error {
		a := model.Account{Email: email, EmailKey: key, Name: name, CreatedAt: model.At(s.Now())}
		err := t.Exec("INSERT INTO accounts (email, email_key, name, created_at) VALUES (?, ?, ?, ?) ON CONFLICT (email_key) DO NOTHING",
			a.Email, a.EmailKey, a.Name, a.CreatedAt).Error
		if err != nil {
			return err
		}
		if err := t.Where("email_key = ?", key).Take(&a).Error; err != nil {
			return err
		}
		out = &a
		return t.Exec("INSERT INTO account_addresses (email_key, account_id) VALUES (?, ?) ON CONFLICT (email_key) DO NOTHING",
			key, a.ID).Error
	})
	if err != nil {
		return nil, err
	}
	return out, nil
}

// FindAccount finds the account that owns the address; nil when there is none.
func (s *Store) FindAccount(ctx context.Context, key string) (*model.Account, error) {
	a, err := first[model.Account](s.read(ctx).
		Where("id = (SELECT account_id FROM account_addresses WHERE email_key = ?)", key))
	return a, s.fault(err)
}

// AddressesOf gives the identities of an account's addresses, sorted.
func (s *Store) AddressesOf(ctx context.Context, accountID int64) ([]string, error) {
	var keys []string
	err := s.read(ctx).Raw("SELECT email_key FROM account_addresses WHERE account_id = ? ORDER BY email_key", accountID).Scan(&keys).Error
	return keys, s.fault(err)
}

// SaveAddress gives an account one more address. An address that belongs to
// another account is a Conflict. The caller has had the address confirmed.
func (s *Store) SaveAddress(ctx context.Context, accountID int64, key string) error {
	return s.write(ctx, func(t *tx) error {
		var owner int64
		err := t.Raw(`INSERT INTO account_addresses (email_key, account_id) VALUES (?, ?)
			ON CONFLICT (email_key) DO UPDATE SET email_key = excluded.email_key RETURNING account_id`, key, accountID).
			Row().Scan(&owner)
		if err == nil && owner != accountID {
			return fault.New(fault.Conflict, "the address belongs to another account")
		}
		return err
	})
}

// SaveAppPassword stores a new app password and sets ID and CreatedAt.
func (s *Store) SaveAppPassword(ctx context.Context, p *model.AppPassword) error {
	made := *p
	err := s.write(ctx, func(t *tx) error {
		made = *p
		made.ID, made.CreatedAt = 0, model.At(s.Now())
		return t.Create(&made).Error
	})
	if err == nil {
		*p = made
	}
	return err
}

// AppPasswords gives an account's app passwords, revoked ones included, oldest
// first.
func (s *Store) AppPasswords(ctx context.Context, accountID int64) ([]model.AppPassword, error) {
	var rows []model.AppPassword
	err := s.read(ctx).Where("account_id = ?", accountID).Order("id").Find(&rows).Error
	return rows, s.fault(err)
}

// TouchAppPassword notes that an app password was used now, to within a few
// minutes.
func (s *Store) TouchAppPassword(ctx context.Context, id int64) error {
	now := model.At(s.Now())
	p, err := first[model.AppPassword](s.read(ctx).Where("id = ?", id))
	if err != nil || p == nil || p.UsedAt.Add(touchStep) > now {
		return s.fault(err)
	}
	return s.write(ctx, func(t *tx) error {
		return t.Exec("UPDATE app_passwords SET used_at = ? WHERE id = ?", now, id).Error
	})
}

// RevokeAppPassword ends an account's app password, or answers NotFound.
func (s *Store) RevokeAppPassword(ctx context.Context, accountID, id int64) error {
	return s.write(ctx, func(t *tx) error {
		res := t.Exec("UPDATE app_passwords SET revoked_at = ? WHERE id = ? AND account_id = ? AND revoked_at = 0", s.now(), id, accountID)
		if res.Error == nil && res.RowsAffected == 0 {
			return fault.New(fault.NotFound, "there is no such app password")
		}
		t.signal(topicAccess) // who logged in with it may have to go
		return res.Error
	})
}
