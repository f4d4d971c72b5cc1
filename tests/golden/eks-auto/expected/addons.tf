# EKS Auto Mode runs networking, DNS, Pod Identity, volumes and load balancers itself: there is no add-on to install.
