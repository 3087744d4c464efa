# A static binary in an empty image; data in the volume, nothing runs as root.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /plenary ./cmd/plenary \
 && mkdir -p /rootfs/var/lib/plenary /rootfs/tmp && chmod 1777 /rootfs/tmp

FROM scratch
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build --chown=65532:65532 /rootfs/ /
COPY --from=build /plenary /plenary
USER 65532:65532
# Ports above 1023, because the program is not root; publish them as 25, 143 ...
ENV PLENARY_DATA_DIR=/var/lib/plenary \
    PLENARY_SMTP_LISTEN=:2525 \
    PLENARY_LMTP_LISTEN=:2424 \
    PLENARY_IMAP_LISTEN=:1143 \
    PLENARY_HTTP_LISTEN=:8080
VOLUME /var/lib/plenary
EXPOSE 2525 2424 1143 8080
HEALTHCHECK --interval=30s --timeout=6s --start-period=10s CMD ["/plenary", "health"]
ENTRYPOINT ["/plenary"]
CMD ["serve"]
