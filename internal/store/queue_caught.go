package store

import (
	"context"

	"plenary/internal/fault"
	"plenary/internal/model"
)

// keepCaught is how many letters the catcher keeps; older ones go.
const keepCaught = 20_000

// Caught is a letter the built-in catcher kept instead of sending it.
type Caught struct {
	ID          int64
	ReversePath string
	Recipient   string
	Data        []byte // nil in listings
	At          model.Instant
}

// TableName is for GORM.
func (Caught) TableName() string { return "caughts" }

// SaveCaught keeps a letter that would have gone to recipient. Only the newest
// 20,000 are kept.
func (s *Store) SaveCaught(ctx context.Context, reversePath, recipient string, data []byte) error {
	return s.write(ctx, func(t *tx) error {
		c := Caught{ReversePath: reversePath, Recipient: recipient, Data: data, At: model.At(s.Now())}
		if c.Data == nil {
			c.Data = []byte{}
		}
		if err := t.Create(&c).Error; err != nil {
			return err
		}
		return t.Exec("DELETE FROM caughts WHERE id <= ?", c.ID-keepCaught).Error
	})
}

// Caughts lists up to limit caught letters without their bytes, oldest first,
// from the one after afterID; an empty recipient is everybody.
func (s *Store) Caughts(ctx context.Context, recipient string, afterID int64, limit int) ([]Caught, error) {
	db := s.read(ctx).Select("id", "reverse_path", "recipient", "at").Where("id > ?", afterID)
	if recipient != "" {
		db = db.Where("recipient = ?", recipient)
	}
	var rows []Caught
	err := db.Order("id").Limit(limit).Find(&rows).Error
	return rows, s.fault(err)
}

// GetCaught gives one caught letter with its bytes, or NotFound.
func (s *Store) GetCaught(ctx context.Context, id int64) (*Caught, error) {
	c, err := first[Caught](s.read(ctx).Where("id = ?", id))
	if err == nil && c == nil {
		return nil, fault.New(fault.NotFound, "there is no such letter")
	}
	return c, s.fault(err)
}
