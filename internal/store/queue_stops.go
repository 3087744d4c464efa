package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"plenary/internal/model"
)

const (
	stopBatch = 2000           // copies made due in one transaction
	keepSites = 24 * time.Hour // how long a site nobody waits for is remembered
	keepRetry = time.Hour      // and that a distribution was to be tried; nodes hear of it in seconds
	retryOf   = "retry/distribution/"
)

// QueueStops gives what people have paused, and asked to be tried.
func (s *Store) QueueStops(ctx context.Context) (*model.QueueStops, error) {
	var notes []struct {
		Name string
		At   model.Instant
	}
	err := s.read(ctx).Raw("SELECT name, at FROM queue_notes WHERE name = 'pause' OR name LIKE 'pause/%' OR name = 'retry' OR name LIKE 'retry/%' ORDER BY name").Scan(&notes).Error
	out := &model.QueueStops{Retry: map[string]model.Instant{}, Again: map[int64]model.Instant{}}
	for _, n := range notes {
		if to, ok := strings.CutPrefix(n.Name, "pause/to/"); ok {
			out.Paused = append(out.Paused, to)
			continue
		}
		if list, ok := strings.CutPrefix(n.Name, "pause/list/"); ok {
			id, _ := strconv.ParseInt(list, 10, 64)
			out.Lists = append(out.Lists, id)
			continue
		}
		if n.Name == "pause" {
			out.All = true
			continue
		}
		if number, ok := strings.CutPrefix(n.Name, retryOf); ok {
			id, _ := strconv.ParseInt(number, 10, 64)
			out.Again[id] = n.At
			continue
		}
		out.Retry[strings.TrimPrefix(strings.TrimPrefix(n.Name, "retry"), "/to/")] = n.At
	}
	return out, s.fault(err)
}

// pausedSite is what copies wait for while their destination is paused.
func pausedSite(name string, at model.Instant) model.SiteState {
	return model.SiteState{ID: model.SiteNumber(model.WaitPause, name), Name: name, Hosts: name, Text: "paused", Until: model.Never, At: at}
}

// NoteSites says what copies wait for, for people.
func (s *Store) NoteSites(ctx context.Context, sites []model.SiteState) error {
	return s.write(ctx, func(t *tx) error {
		for _, st := range sites {
			if err := t.noteSite(st); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *tx) noteSite(st model.SiteState) error {
	return t.Exec("INSERT INTO queue_sites (id, name, hosts, text, until, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET"+
		" name = excluded.name, hosts = excluded.hosts, text = excluded.text, until = excluded.until, at = excluded.at",
		st.ID, st.Name, st.Hosts, st.Text, st.Until, st.At).Error
}

// NoteRefusal says that a site refuses a distribution for reasons of policy;
// empty text: not any more.
func (s *Store) NoteRefusal(ctx context.Context, distribution int64, site, text string) error {
	name := "refused/" + strconv.FormatInt(distribution, 10) + "/" + site
	return s.write(ctx, func(t *tx) error {
		if text == "" {
			return t.Exec("DELETE FROM queue_notes WHERE name = ?", name).Error
		}
		return t.putNote(name, text)
	})
}

// resumeDestination takes the pause of a destination back, and makes due what
// waited for that.
func (s *Store) resumeDestination(ctx context.Context, name string) error {
	if err := s.write(ctx, func(t *tx) error {
		t.signal(TopicQueue)
		return t.Exec("DELETE FROM queue_notes WHERE name = ?", QueueScope{Destination: name}.note()).Error
	}); err != nil {
		return err
	}
	if err := s.WakePaused(ctx, name); err != nil {
		return err
	}
	return s.WakeForRelay(ctx, name)
}

// WakePaused makes due what waits for the pause of a destination to end. Nodes
// call it too when they hear of the end: until then they let copies wait for it.
func (s *Store) WakePaused(ctx context.Context, name string) error {
	site := model.SiteNumber(model.WaitPause, name)
	return s.dueIfAny(ctx, "site BETWEEN ? AND ?", site, site|7)
}

// WakeForRelay makes due what waits for a relay of this name, with its port or
// without, because others do not take it. A longer name that holds this one is
// meant too: its copies only find out again.
func (s *Store) WakeForRelay(ctx context.Context, name string) error {
	where, arg := waitsForRelay(name)
	return s.dueIfAny(ctx, where, arg)
}

// WakeRefused makes due what was put off untried, until before, because a site refused
// its distribution with this reply.
func (s *Store) WakeRefused(ctx context.Context, distribution, site int64, reply string, before model.Instant) error {
	// Found by the site: of the distribution a million others may wait.
	const where = "+distribution_id = ? AND site BETWEEN ? AND ? AND code = 0 AND at <= ? AND reply = ?"
	args := []any{distribution, site, site | 7, before, reply}
	return s.dueIfAny(ctx, where, args...)
}

func waitsForRelay(name string) (where, arg string) {
	return "site = 0 AND reply LIKE ? ESCAPE '!'", model.ForRelay + "%" + escapeLike(name) + "%"
}

// dueIfAny is makeDue for nodes, which ask often: a look tells that there is something
// before the one writer is taken.
func (s *Store) dueIfAny(ctx context.Context, where string, args ...any) error {
	var some bool
	if err := s.read(ctx).Raw("SELECT EXISTS (SELECT 1 FROM deliveries WHERE state = 2 AND next_at > ? AND "+where+")", append([]any{s.queueNow()}, args...)...).
		Row().Scan(&some); err != nil || !some {
		return s.fault(err)
	}
	_, err := s.makeDue(ctx, where, args...)
	return err
}

// makeDue lets waiting copies be tried now, a batch a transaction so that nobody
// waits long.
func (s *Store) makeDue(ctx context.Context, where string, args ...any) (n int64, err error) {
	now := s.queueNow()
	for {
		var k int64
		err := s.write(ctx, func(t *tx) error {
			res := t.Exec("UPDATE deliveries SET next_at = ? WHERE (distribution_id, recipient_id) IN (SELECT distribution_id, recipient_id FROM deliveries"+
				" WHERE state = 2 AND next_at > ? AND "+where+" LIMIT ?)", append(append([]any{now, now}, args...), stopBatch)...)
			if k = res.RowsAffected; k > 0 {
				t.signal(TopicQueue)
			}
			return res.Error
		})
		if n += k; err != nil || k < stopBatch {
			return n, err
		}
	}
}

// RetryNow makes copies that wait for another try due at once, and gives their
// number. Sites that are down or refuse us are tried at once; of a list or a
// distribution those that these copies wait for, and a refusal is forgotten for them
// alone. What a person has paused stays.
func (s *Store) RetryNow(ctx context.Context, q QueueScope) (int64, error) {
	if err := s.write(ctx, func(t *tx) error {
		t.signal(TopicQueue)
		if q.ListID != 0 || q.DistributionID != 0 {
			return t.retryOf(q)
		}
		note, like := "retry", "refused/%"
		if q.Destination != "" {
			note, like = "retry/to/"+q.Destination, "refused/%/"+escapeLike(q.Destination)
		}
		if err := t.Exec("DELETE FROM queue_notes WHERE name LIKE ? ESCAPE '!'", like).Error; err != nil {
			return err
		}
		return t.putNote(note, "")
	}); err != nil {
		return 0, err
	}
	where, args := q.waiting()
	return s.makeDue(ctx, where, args...)
}

// retryOf tells nodes which distributions are to be tried.
func (t *tx) retryOf(q QueueScope) error {
	if err := t.Exec("DELETE FROM queue_notes WHERE name LIKE ? AND at < ?", retryOf+"%", t.s.queueNow().Add(-keepRetry)).Error; err != nil {
		return err
	}
	var ids []int64
	where, args := q.where()
	if err := t.Raw("SELECT d.id FROM distributions d WHERE d.state IN (0, 2) AND d.done_at = 0 AND "+where+" ORDER BY d.id", args...).Scan(&ids).Error; err != nil {
		return err
	}
	for _, id := range ids {
		number := strconv.FormatInt(id, 10)
		if err := t.Exec("DELETE FROM queue_notes WHERE name LIKE ?", "refused/"+number+"/%").Error; err != nil {
			return err
		}
		if err := t.putNote(retryOf+number, ""); err != nil {
			return err
		}
	}
	return nil
}

// SitesOf gives the numbers of what copies of a distribution wait for.
func (s *Store) SitesOf(ctx context.Context, distribution int64) ([]int64, error) {
	var sites []int64
	err := s.read(ctx).Raw("SELECT DISTINCT (site & -8) AS number FROM deliveries WHERE distribution_id = ? AND state = 2 AND site > 0 ORDER BY number", distribution).
		Scan(&sites).Error
	return sites, s.fault(err)
}

// PausedDistribution is one that goes on when a person says so.
type PausedDistribution struct {
	ID  int64
	Why string // empty: a person has paused it
}

// PausedDistributions gives up to limit distributions of a scope that are paused by
// themselves: they are not tried before a ResumeQueue.
func (s *Store) PausedDistributions(ctx context.Context, q QueueScope, limit int) ([]PausedDistribution, error) {
	var out []PausedDistribution
	where, args := q.where()
	err := s.read(ctx).Raw("SELECT d.id AS id, COALESCE((SELECT n.text FROM queue_notes n WHERE n.name IN ('stopped/' || d.id, 'stale/' || d.id)"+
		" ORDER BY n.name DESC LIMIT 1), '') AS why FROM distributions d WHERE d.state = 1 AND "+where+" ORDER BY d.id LIMIT ?", append(args, limit)...).Scan(&out).Error
	return out, s.fault(err)
}

// RetryPutOff makes due what RetryNow did, of a distribution, a destination or (0 and
// empty) of all, as far as it was put off until before. Nodes call it after they have
// heard of a RetryNow: until then they let what it made due wait again. What was
// answered meanwhile has had its try.
func (s *Store) RetryPutOff(ctx context.Context, distribution int64, destination string, before model.Instant) error {
	where, args := QueueScope{DistributionID: distribution, Destination: destination}.waiting()
	where, args = "code = 0 AND at <= ? AND "+where, append([]any{before}, args...)
	return s.dueIfAny(ctx, where, args...)
}

// waiting narrows a query over deliveries to what waits for another try, and not for a
// person.
func (q QueueScope) waiting() (string, []any) {
	where, args := q.where()
	text := "next_at < ? AND distribution_id IN (SELECT d.id FROM distributions d WHERE d.state IN (0, 2) AND " + where + ")"
	args = append([]any{model.Never}, args...)
	if q.Destination != "" {
		end := "%@" + escapeLike(q.Destination)
		text += " AND ((site & -8) IN (SELECT id FROM queue_sites WHERE name = ? OR ' ' || hosts || ' ' LIKE ? ESCAPE '!')" +
			" OR recipient_id IN (SELECT id FROM subscribers WHERE email_key LIKE ? ESCAPE '!')" +
			" OR recipient_id = 0 AND distribution_id IN (SELECT id FROM distributions WHERE recipient LIKE ? ESCAPE '!')"
		relay, arg := waitsForRelay(q.Destination)
		text += " OR " + relay + ")"
		args = append(args, q.Destination, "% "+escapeLike(q.Destination)+" %", end, end, arg)
	}
	return text, args
}

func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

// WaitingSite is a site copies wait for, for the status.
type WaitingSite struct {
	model.SiteState
	Waiting int64         `json:"waiting"`
	Next    model.Instant `json:"next"` // when the first of them is tried
}

// Refusal is a distribution that a site refuses for reasons of policy.
type Refusal struct {
	DistributionID int64         `json:"distribution"`
	Site           string        `json:"site"`
	Reply          string        `json:"reply"`
	Since          model.Instant `json:"since"`
}

// waitingSites gives up to limit sites that copies wait for, those with most
// first.
func (s *Store) waitingSites(ctx context.Context, limit int) ([]WaitingSite, error) {
	var counts []struct {
		ID, N int64
		Next  model.Instant
	}
	db := s.read(ctx)
	if err := db.Raw("SELECT (site & -8) AS id, count(*) AS n, min(next_at) AS next FROM deliveries WHERE state = 2 AND site > 0"+
		" GROUP BY (site & -8) ORDER BY n DESC, id LIMIT ?", limit).Scan(&counts).Error; err != nil || len(counts) == 0 {
		return nil, err
	}
	ids := make([]int64, len(counts))
	for i := range counts {
		ids[i] = counts[i].ID
	}
	var states []model.SiteState
	if err := db.Raw("SELECT * FROM queue_sites WHERE id IN ?", ids).Scan(&states).Error; err != nil {
		return nil, err
	}
	by := map[int64]model.SiteState{}
	for _, st := range states {
		by[st.ID] = st
	}
	out := make([]WaitingSite, len(counts))
	for i, c := range counts {
		out[i] = WaitingSite{by[c.ID], c.N, c.Next}
		if out[i].Name == "" { // a domain whose hosts could not be found
			out[i].Name = "-"
		}
	}
	return out, nil
}
