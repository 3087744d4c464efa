package store

import (
	"database/sql"
	"errors"

	"gorm.io/gorm"
	"gorm.io/gorm/callbacks"
	"gorm.io/gorm/clause"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"
	sqlite3 "modernc.org/sqlite"
	sqlitelib "modernc.org/sqlite/lib"
)

// sqliteDialector teaches GORM the SQLite of modernc.org: quoting, LIMIT and
// RETURNING. It has no migrator, the schema is SQL.
type sqliteDialector struct{ pool *sql.DB }

// Name is the dialect's name for GORM.
func (d *sqliteDialector) Name() string { return string(SQLite) }

// Initialize registers GORM's callbacks with the clauses SQLite has.
func (d *sqliteDialector) Initialize(db *gorm.DB) error {
	db.ConnPool = newKeeping(d.pool)
	callbacks.RegisterDefaultCallbacks(db, &callbacks.Config{
		CreateClauses:        []string{"INSERT", "VALUES", "ON CONFLICT", "RETURNING"},
		UpdateClauses:        []string{"UPDATE", "SET", "FROM", "WHERE", "RETURNING"},
		DeleteClauses:        []string{"DELETE", "FROM", "WHERE", "RETURNING"},
		LastInsertIDReversed: true,
	})
	return nil
}

// Migrator is not offered: goose owns the schema.
func (d *sqliteDialector) Migrator(*gorm.DB) gorm.Migrator { return nil }

// DataTypeOf names a column type; unused without a migrator.
func (d *sqliteDialector) DataTypeOf(*schema.Field) string { return "" }

// DefaultValueOf is what GORM inserts for a field left to the database.
func (d *sqliteDialector) DefaultValueOf(field *schema.Field) clause.Expression {
	if field.AutoIncrement {
		return clause.Expr{SQL: "NULL"}
	}
	return clause.Expr{SQL: "DEFAULT"}
}

// BindVarTo writes a placeholder.
func (d *sqliteDialector) BindVarTo(w clause.Writer, _ *gorm.Statement, _ any) { _ = w.WriteByte('?') }

// QuoteTo quotes an identifier, dots separating its parts.
func (d *sqliteDialector) QuoteTo(w clause.Writer, name string) {
	_ = w.WriteByte('`')
	for i := range len(name) {
		switch name[i] {
		case '.':
			_, _ = w.WriteString("`.`")
		case '`':
			_, _ = w.WriteString("``")
		default:
			_ = w.WriteByte(name[i])
		}
	}
	_ = w.WriteByte('`')
}

// Explain renders a statement for the log.
func (d *sqliteDialector) Explain(sql string, vars ...any) string {
	return logger.ExplainSQL(sql, nil, `"`, vars...)
}

// Translate turns driver errors into GORM's own.
func (d *sqliteDialector) Translate(err error) error {
	var e *sqlite3.Error
	if errors.As(err, &e) {
		switch e.Code() {
		case sqlitelib.SQLITE_CONSTRAINT_UNIQUE, sqlitelib.SQLITE_CONSTRAINT_PRIMARYKEY:
			return gorm.ErrDuplicatedKey
		case sqlitelib.SQLITE_CONSTRAINT_FOREIGNKEY:
			return gorm.ErrForeignKeyViolated
		}
	}
	return err
}
