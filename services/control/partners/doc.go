// Package partners is the authority of the gateway's partners: it issues their certificates, revokes them, and tells gateways whom to admit.
//
//	operator ── IssueCertificate, RevokePartner ──▶ Service ──▶ Store, a Secret that every replica of the control plane watches
//	                                                  │
//	gateway  ◀── authorities and revocations ─────────┘
//
// The authority is not that of the mesh, so that the certificate of a partner is worth nothing inside the cluster, and that of a workload nothing
// at the gateway. The private key of a partner stays with the partner: a request has only its public key.
//
// The list of revocations is valid for a week. The control plane signs it again after half of that, because a gateway with an expired list
// refuses every partner.
package partners
