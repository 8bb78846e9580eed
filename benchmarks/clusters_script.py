"""What one would write with scikit-learn: print the cluster of each vector of a .npy file.

python clusters_script.py VECTORS.npy 20        k-means
python clusters_script.py VECTORS.npy           HDBSCAN
"""

import sys

import numpy as np
from sklearn.cluster import HDBSCAN, KMeans
from sklearn.decomposition import PCA

vectors = np.load(sys.argv[1])
if len(sys.argv) > 2:
    found = KMeans(n_clusters=int(sys.argv[2]), n_init=10, random_state=0).fit(vectors)
else:
    few = PCA(50, svd_solver="covariance_eigh").fit_transform(vectors)
    found = HDBSCAN(min_cluster_size=5, min_samples=1, copy=True).fit(few)
print("\n".join(map(str, found.labels_)))
