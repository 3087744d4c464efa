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
)

// QueueStops gives what people have paused, and asked to be tried.
func (s *Store) QueueStops(ctx context.Context) (*model.QueueStops, error) {
	var notes []struct {
		Name string
		At   model.Instant
	}
	err := s.read(ctx).Raw("SELECT name, at FROM queue_notes WHERE name = 'pause' OR name LIKE 'pause/%' OR name = 'retry' OR name LIKE 'retry/to/%' ORDER BY name").Scan(&notes).Error
	out := &model.QueueStops{Retry: map[string]model.Instant{}}
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
	return s.WakePaused(ctx, name)
}

// WakePaused makes due what waits for the pause of a destination to end. Nodes
// call it too when they hear of the end: until then they let copies wait for it.
func (s *Store) WakePaused(ctx context.Context, name string) error {
	site := model.SiteNumber(model.WaitPause, name)
	var some bool
	if err := s.read(ctx).Raw("SELECT EXISTS (SELECT 1 FROM deliveries WHERE state = 2 AND site BETWEEN ? AND ?)", site, site|7).Row().Scan(&some); err != nil || !some {
		return s.fault(err)
	}
	_, err := s.makeDue(ctx, "site BETWEEN ? AND ?", site, site|7)
	return err
}

// makeDue lets waiting copies be tried now, a batch a transaction so that nobody
// waits long.
func (s *Store) makeDue(ctx context.Context, where string, args ...any) (n int64, err error) {
	now := s.now()
	for {
		var k int64
		err := s.write(ctx, func(t *tx) error {
			t.signal(TopicQueue)
			res := t.Exec("UPDATE deliveries SET next_at = ? WHERE (distribution_id, recipient_id) IN (SELECT distribution_id, recipient_id FROM deliveries"+
				" WHERE state = 2 AND next_at > ? AND "+where+" LIMIT ?)", append(append([]any{now, now}, args...), stopBatch)...)
			k = res.RowsAffected
			return res.Error
		})
		if n += k; err != nil || k < stopBatch {
			return n, err
		}
	}
}

// RetryNow makes copies that wait for another try due at once, and gives their
// number. Sites that are down or refuse us are tried at once. What a person has
// paused stays.
func (s *Store) RetryNow(ctx context.Context, q QueueScope) (int64, error) {
	note := "retry"
	if q.Destination != "" {
		note = "retry/to/" + q.Destination
	}
	if q.ListID == 0 && q.DistributionID == 0 {
		if err := s.write(ctx, func(t *tx) error {
			t.signal(TopicQueue)
			like := "refused/%"
			if q.Destination != "" {
				like = "refused/%/" + escapeLike(q.Destination)
			}
			if err := t.Exec("DELETE FROM queue_notes WHERE name LIKE ? ESCAPE '!'", like).Error; err != nil {
				return err
			}
			return t.putNote(note, "")
		}); err != nil {
			return 0, err
		}
	}
	where, args := q.where()
	text := "next_at < ? AND distribution_id IN (SELECT d.id FROM distributions d WHERE d.state IN (0, 2) AND " + where + ")"
	args = append([]any{model.Never}, args...)
	if q.Destination != "" {
		end := "%@" + escapeLike(q.Destination)
		text += " AND ((site & -8) IN (SELECT id FROM queue_sites WHERE name = ? OR ' ' || hosts || ' ' LIKE ? ESCAPE '!')" +
			" OR recipient_id IN (SELECT id FROM subscribers WHERE email_key LIKE ? ESCAPE '!')" +
			" OR recipient_id = 0 AND distribution_id IN (SELECT id FROM distributions WHERE recipient LIKE ? ESCAPE '!'))"
		args = append(args, q.Destination, "% "+escapeLike(q.Destination)+" %", end, end)
	}
	return s.makeDue(ctx, text, args...)
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
