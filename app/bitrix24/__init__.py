"""A client library for the Bitrix24 REST API that knows nothing of the rest of the service.

The client itself is `app.bitrix24.client.PortalClient`: it sits in its own module so that the layers that must not
reach the portal cannot get it from here by accident. Importing this package opens nothing and sends nothing.
"""

from app.bitrix24.errors import Bitrix24Error, Permanent, Temporary
from app.bitrix24.lanes import Lane
from app.bitrix24.limiter import Bucket, LocalBucket
from app.bitrix24.masking import mask

__all__ = ["Bitrix24Error", "Bucket", "Lane", "LocalBucket", "Permanent", "Temporary", "mask"]
