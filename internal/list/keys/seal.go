package keys

import (
	"context"
	"crypto"
	"crypto/aes"
	"crypto/cipher"
	"crypto/ed25519"
	"crypto/hkdf"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"

	"plenary/internal/fault"
	"plenary/internal/mail/mailauth"
	"plenary/internal/model"
)

// generate makes a key pair; the standard library takes its own randomness.
func generate(a model.DKIMAlgorithm) (crypto.Signer, error) {
	if a == model.DKIMEd25519 {
		_, key, err := ed25519.GenerateKey(rand.Reader)
		return key, err
	}
	return rsa.GenerateKey(rand.Reader, rsaBits)
}

// build makes the row of a new key.
func (s *Service) build(ctx context.Context, k *model.DKIMKey) error {
	signer, err := generate(k.Algorithm)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "no key could be made")
	}
	if k.Record, err = mailauth.Record(signer.Public()); err != nil {
		return err
	}
	plain, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return fault.Wrap(fault.Internal, err, "the new key cannot be written")
	}
	box, err := s.box(ctx)
	if err != nil {
		return err
	}
	k.Private = box.Seal(nil, nil, plain, bound(k))
	return nil
}

// open gives the key of a row.
func (s *Service) open(ctx context.Context, k *model.DKIMKey) (crypto.Signer, error) {
	box, err := s.box(ctx)
	if err != nil {
		return nil, err
	}
	plain, err := box.Open(nil, nil, k.Private, bound(k))
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the DKIM key %s of %s cannot be opened with this installation's secret", k.Selector, k.Domain)
	}
	key, err := x509.ParsePKCS8PrivateKey(plain)
	signer, ok := key.(crypto.Signer)
	if err != nil || !ok {
		return nil, fault.New(fault.Internal, "the DKIM key %s of %s is damaged", k.Selector, k.Domain)
	}
	return signer, nil
}

// box seals and opens; the nonce is random and goes in front.
func (s *Service) box(ctx context.Context) (cipher.AEAD, error) {
	secret := s.Secret
	if len(secret) == 0 {
		var err error
		if secret, err = s.Store.Secret(ctx, secretName); err != nil {
			return nil, err
		}
	}
	key, err := hkdf.Key(sha256.New, secret, nil, "plenary dkim keys 1", 32)
	if err != nil {
		return nil, fault.Wrap(fault.Internal, err, "the secret for DKIM keys cannot be used")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block)
}

// bound is what a sealed key belongs to.
func bound(k *model.DKIMKey) []byte {
	return []byte(k.Algorithm.String() + " " + mailauth.RecordName(k.Domain, k.Selector))
}
