package operator

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/grpc-sandbox/sandbox/services/control/partners"
)

// PartnersSecret is the Secret, in the namespace of the control plane, with the authority and the certificates of the partners. The chart creates it
// empty, so that the control plane may change this Secret and no other.
const PartnersSecret = "sandbox-partners"

// partnerStore keeps the partners in their Secret.
type partnerStore struct {
	// reader reads from the API server and not from the cache, whose copy may be old.
	reader    client.Reader
	writer    client.Writer
	namespace string
}

func (s partnerStore) secret(ctx context.Context) (*corev1.Secret, error) {
	secret := &corev1.Secret{}
	if err := s.reader.Get(ctx, client.ObjectKey{Namespace: s.namespace, Name: PartnersSecret}, secret); err != nil {
		return nil, fmt.Errorf("reading Secret %s/%s: %w", s.namespace, PartnersSecret, err)
	}
	return secret, nil
}

// Load returns the data of the Secret.
func (s partnerStore) Load(ctx context.Context) (data map[string][]byte, version string, err error) {
	secret, err := s.secret(ctx)
	if err != nil {
		return nil, "", err
	}
	return secret.Data, secret.ResourceVersion, nil
}

// Save replaces the data of the Secret.
func (s partnerStore) Save(ctx context.Context, data map[string][]byte, version string) error {
	secret, err := s.secret(ctx)
	if err != nil {
		return err
	}
	if secret.ResourceVersion != version {
		return partners.ErrConflict
	}
	secret.Data = data
	if err := s.writer.Update(ctx, secret); apierrors.IsConflict(err) {
		return partners.ErrConflict
	} else if err != nil {
		return fmt.Errorf("updating Secret %s: %w", PartnersSecret, err)
	}
	return nil
}
